"""What this package adds; read where radzoo lists its models, so nothing heavy is imported here."""

from zoo.plugins import PluginModel, PluginNetwork

__all__ = ["NAIVE_BAYES", "TINY_DENSENET"]

NAIVE_BAYES = PluginModel(
    inputs=("clinical", "radiomics"),
    description="Gaussian naive Bayes on ranks, of radiomics features and clinical factors alike.",
    build="radzoo_example.naive_bayes:naive_bayes",
    types=("radzoo_example.naive_bayes.Ranks", "sklearn.naive_bayes.GaussianNB"),
)

TINY_DENSENET = PluginNetwork(
    description="MONAI's DenseNet with two blocks, on the regions of all phases, trained from scratch.",
    build="radzoo_example.densenet:tiny_densenet",
    citation="10.1109/CVPR.2017.243",
)
