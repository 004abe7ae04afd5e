"""Concepts: the pages of docs/concepts, five of them with a picture that answers to controls."""

import streamlit as st

from dashboard.concepts import dropout, gradient, learning_rate, norms, receptive_field, texts

PICTURES = {
    "autograd": ((gradient.show, "Gradient of a function at a point"),),
    "training-loop": ((learning_rate.show, "Learning rate on a parabola"),),
    "convolutions": ((receptive_field.show, "Receptive field of a convolution"),),
    "dropout": ((dropout.show, "Dropout of activations"), (norms.show, "Batch against layer norm")),
}


def page() -> None:
    """Show the page that the URL names, else the first one with a picture."""
    st.title("Concepts")
    found = {concept.title: concept for concept in texts.concepts()}
    if not found:
        st.info("The pages are in docs/concepts of a clone of the lab; they are not installed with the package.")
        return
    titles = list(found)
    first = next(number for number, title in enumerate(titles) if found[title].name in PICTURES)
    title = st.selectbox(
        "Concept", titles, index=first, key="concept", bind="query-params", label_visibility="collapsed"
    )
    concept = found[title]
    text = f"### {title}\n\n{concept.text.replace('## ', '#### ')}"
    if concept.name not in PICTURES:
        st.container(width=900).markdown(text)
        return
    picture, words = st.columns([5, 6], gap="large")
    with picture:
        for show, caption in PICTURES[concept.name]:
            st.markdown(f"**{caption}**")
            show()
    words.markdown(text)


page()
