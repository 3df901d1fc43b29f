"""Pipelines of radiomics: harmonisation, selection, classifiers."""
