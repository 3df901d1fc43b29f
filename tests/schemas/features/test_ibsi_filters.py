"""Departures of filtered images, measured: where a crop is as good as the image, and what later levels do."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import radiomics
import SimpleITK
from radiomics.imageoperations import getLoGImage, getWaveletImage

from schemas.features.ibsi_departures import departures
from schemas.features.radiomics_settings import RadiomicsSettings

radiomics.setVerbosity(60)  # its log would flood the report; what matters here is returned or raised


def test_a_wide_padding_is_as_good_as_the_whole_image():
    """filtered-on-padded-crop: with the padding at which it is no longer listed, filters see all that matters."""
    random = np.random.default_rng(13)
    line = np.convolve(random.normal(100, 10, 160), np.ones(5) / 5, "same")
    volume = np.broadcast_to(line[:, None, None], (160, 24, 24)).copy()
    low, high = 77, 83

    def responses(array, wavelet, levels, start):
        images = getWaveletImage(
            SimpleITK.GetImageFromArray(array), None, wavelet=wavelet, level=levels, start_level=start
        )
        return {name: SimpleITK.GetArrayFromImage(each) for each, name, _ in images}

    for wavelet, levels, start in (("haar", 2, 0), ("coif1", 1, 0), ("coif2", 1, 0), ("db4", 1, 1), ("sym5", 2, 0)):
        settings = {"wavelet": wavelet, "wavelet_levels": levels, "wavelet_start_level": start, "bin_count": 8}
        settings = RadiomicsSettings(**settings, resampled_spacing_mm=(1.0, 1.0, 1.0))
        is_listed = {
            pad: "filtered-on-padded-crop" in departures(settings.model_copy(update={"pad_distance_voxels": pad}))
            for pad in range(25)
        }
        whole = responses(volume, wavelet, levels, start)
        for pad in range(25):
            crops = (responses(volume[low - pad : high + pad + odd], wavelet, levels, start) for odd in (0, 1))
            differs = any(
                not np.allclose(crop[name][pad : pad + high - low], whole[name][low:high], atol=1e-8)
                for crop in crops
                for name in whole
            )
            assert differs == is_listed[pad], (wavelet, levels, start, pad)

    for sigma in (2.0, 3.0):
        settings = RadiomicsSettings(log_sigma_mm=(sigma,), bin_count=8, resampled_spacing_mm=(1.0, 1.0, 1.0))
        whole, _, _ = next(getLoGImage(SimpleITK.GetImageFromArray(volume), None, sigma=[sigma]))
        inside = SimpleITK.GetArrayFromImage(whole)[low:high, 12, 12]
        for pad in (int(sigma), int(4 * sigma)):
            crop = SimpleITK.GetImageFromArray(volume[low - pad : high + pad])
            response, _, _ = next(getLoGImage(crop, None, sigma=[sigma]))
            error = np.abs(SimpleITK.GetArrayFromImage(response)[pad : pad + high - low, 12, 12] - inside).max()
            listed = "filtered-on-padded-crop" in departures(settings.model_copy(update={"pad_distance_voxels": pad}))
            # At 4 sigma the recursive filter's own error is left, far below that of the approximation.
            assert listed == (error > 0.01 * np.abs(inside).max())


@pytest.mark.parametrize("wavelet", ["bior1.3", "bior3.9", "bior6.8", "rbio3.1", "dmey", "db20", "coif5"])
def test_no_wavelet_is_longer_than_its_padding(wavelet):
    """The padding at which no departure is listed holds half of PyWavelets' filter."""
    settings = RadiomicsSettings(wavelet=wavelet, bin_count=8, resampled_spacing_mm=(1.0, 1.0, 1.0))
    half = pywt.Wavelet(wavelet).dec_len // 2
    assert "filtered-on-padded-crop" in departures(settings.model_copy(update={"pad_distance_voxels": half - 1}))
    assert "filtered-on-padded-crop" not in departures(settings.model_copy(update={"pad_distance_voxels": 31 + half}))


def test_later_levels_filter_with_the_same_filter():
    """wavelet-levels-not-dilated: the first level is the stationary transform's, the second is not."""
    array = np.random.default_rng(14).normal(size=(16, 16, 16))
    images = getWaveletImage(SimpleITK.GetImageFromArray(array), None, wavelet="haar", level=2)
    bands = {name: SimpleITK.GetArrayFromImage(each) for each, name, _ in images}
    second, first = pywt.swtn(array, "haar", level=2, axes=(2, 1, 0))

    np.testing.assert_allclose(bands["wavelet-HHH"], first["ddd"], atol=1e-12)
    assert not np.allclose(bands["wavelet2-HHH"], second["ddd"], atol=0.1)
