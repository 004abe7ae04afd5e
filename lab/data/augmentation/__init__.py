"""Random changes of training samples, `data.augment`: the lab's own (`transforms`) and torchvision's (`pixels`).

Start reading in `augmented`: the training split whose samples are changed.
"""
