import pytest

pytest.importorskip("stable_baselines3", reason='needs pip install "lrmp[sb3]"')

from lrmp.baselines.experiments import feature_ablation
from lrmp.envs.scoring.observation import layer_feature_names, running_features
from lrmp.hardware import PRECISION

FEATURES = layer_feature_names(PRECISION) + running_features(PRECISION)


def test_groups_are_all_features_once():
    grouped = [name for names in feature_ablation.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(FEATURES)


def test_variants_leave_out_their_groups():
    assert feature_ablation.features_of("all features", FEATURES) == list(FEATURES)
    assert feature_ablation.features_of("depth alone", FEATURES) == ["depth"]
    rest = feature_ablation.features_of("without sensitivities", FEATURES)
    assert set(FEATURES) - set(rest) == {
        "weight_bits_sensitivity",
        "activation_bits_sensitivity",
    }


def test_page_has_a_row_per_variant_and_finished_runs_are_kept(tmp_path):
    args = feature_ablation.Args(tmp_path, env_id="LRMP-LeNet-v0", seeds=1, episodes=32)
    table = feature_ablation.ablate(args)
    rows = table.splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(feature_ablation.VARIANTS)
    before = (tmp_path / "ablation.csv").read_bytes()
    assert feature_ablation.ablate(args) == table
    assert (tmp_path / "ablation.csv").read_bytes() == before
    assert table in (tmp_path / "ablation.md").read_text()
