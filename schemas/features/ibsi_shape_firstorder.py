"""The dictionary entries of the shape and firstorder families, in pyradiomics' order."""

from __future__ import annotations

from functools import partial
from typing import Final

from schemas.features.ibsi_definition import (
    BIT,
    INTENSITY,
    INTENSITY_SQUARED,
    INTENSITY_SQUARED_VOLUME,
    MM,
    MM2,
    MM3,
    NUMBER,
    PER_MM,
    FeatureDefinition,
    feature_definition,
)
from schemas.features.ibsi_deviations import AXES_POPULATION_COVARIANCE, KURTOSIS_NOT_EXCESS

__all__ = ["FIRSTORDER", "SHAPE"]

_shape = partial(feature_definition, "shape")
_axis = partial(_shape, unit=MM, deviation=AXES_POPULATION_COVARIANCE)
_firstorder = partial(feature_definition, "firstorder")

SHAPE: Final[tuple[FeatureDefinition, ...]] = (
    _shape(
        "Elongation",
        "Q3CK",
        NUMBER,
        "Second principal axis of the voxel centres over the first: 1 is round in that plane, 0 a line.",
    ),
    _shape(
        "Flatness",
        "N17B",
        NUMBER,
        "Shortest principal axis of the voxel centres over the longest: 1 is a ball, 0 a sheet.",
    ),
    _axis(
        "LeastAxisLength",
        "7J51",
        definition="Four standard deviations of the voxel centres along their third principal axis.",
    ),
    _axis(
        "MajorAxisLength",
        "TDIC",
        definition="Four standard deviations of the voxel centres along their first principal axis.",
    ),
    _shape(
        "Maximum2DDiameterColumn",
        None,
        MM,
        "Largest distance between two surface vertices that lie in one x-z plane of the voxel grid.",
    ),
    _shape(
        "Maximum2DDiameterRow",
        None,
        MM,
        "Largest distance between two surface vertices that lie in one y-z plane of the voxel grid.",
    ),
    _shape(
        "Maximum2DDiameterSlice",
        None,
        MM,
        "Largest distance between two surface vertices that lie in one x-y plane of the voxel grid.",
    ),
    _shape("Maximum3DDiameter", "L0JK", MM, "Largest distance between any two vertices of the surface mesh."),
    _shape("MeshVolume", "RNU0", MM3, "Volume enclosed by the triangle mesh fitted to the mask."),
    _axis(
        "MinorAxisLength",
        "P9VJ",
        definition="Four standard deviations of the voxel centres along their second principal axis.",
    ),
    _shape(
        "Sphericity",
        "QCFX",
        NUMBER,
        "Surface of the ball that has the mesh's volume over the mesh's own surface: 1 is a ball.",
    ),
    _shape("SurfaceArea", "C0JK", MM2, "Total area of the triangles of the surface mesh."),
    _shape("SurfaceVolumeRatio", "2PR5", PER_MM, "Area of the surface mesh over the volume it encloses."),
    _shape("VoxelVolume", "YEKZ", MM3, "Number of voxels in the mask times the volume of one voxel."),
)

FIRSTORDER: Final[tuple[FeatureDefinition, ...]] = (
    _firstorder("10Percentile", "QG58", INTENSITY, "Intensity that a tenth of the mask's voxels do not exceed."),
    _firstorder("90Percentile", "8DWT", INTENSITY, "Intensity that nine tenths of the mask's voxels do not exceed."),
    _firstorder("Energy", "N8CA", INTENSITY_SQUARED, "Sum of the squared intensities; it grows with the voxel count."),
    _firstorder("Entropy", "TLU2", BIT, "Shannon entropy of the histogram of grey levels."),
    _firstorder("InterquartileRange", "SALO", INTENSITY, "Width of the middle half of the intensities."),
    _firstorder(
        "Kurtosis",
        "IPH6",
        NUMBER,
        "Fourth central moment over the squared variance: weight of the tails, 3 for a normal distribution.",
        KURTOSIS_NOT_EXCESS,
    ),
    _firstorder("Maximum", "84IY", INTENSITY, "Highest intensity in the mask."),
    _firstorder(
        "MeanAbsoluteDeviation",
        "4FUA",
        INTENSITY,
        "Mean absolute distance of the intensities from their mean.",
    ),
    _firstorder("Mean", "Q4LE", INTENSITY, "Arithmetic mean of the intensities."),
    _firstorder("Median", "Y12H", INTENSITY, "Middle of the sorted intensities."),
    _firstorder("Minimum", "1GSF", INTENSITY, "Lowest intensity in the mask."),
    _firstorder("Range", "2OJQ", INTENSITY, "Highest minus lowest intensity."),
    _firstorder(
        "RobustMeanAbsoluteDeviation",
        "1128",
        INTENSITY,
        "Mean absolute deviation among the intensities from the 10th to the 90th percentile, both included.",
    ),
    _firstorder("RootMeanSquared", "5ZWQ", INTENSITY, "Square root of the mean squared intensity."),
    _firstorder(
        "Skewness",
        "KE2A",
        NUMBER,
        "Third central moment over the variance to the power 1.5: above 0 with a longer tail to the right.",
    ),
    _firstorder("TotalEnergy", None, INTENSITY_SQUARED_VOLUME, "Energy times the volume of one voxel."),
    _firstorder(
        "Uniformity",
        "BJ5W",
        NUMBER,
        "Sum of the squared frequencies of the grey levels: the chance that two random voxels agree.",
    ),
    _firstorder("Variance", "ECT3", INTENSITY_SQUARED, "Mean squared distance of the intensities from their mean."),
)
