"""One training on several devices of a machine: `trainer.devices: 2`, with Lightning's `ddp`.

The run is that of the first device; a process for each other one trains along, and records nothing. Start reading in
`processes.py`.
"""
