"""Radiomics of one mask, with pyradiomics' values, at a fraction of its time: a family of features a module."""
