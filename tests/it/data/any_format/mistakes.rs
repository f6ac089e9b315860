//! Every mistake with a modality from any format has its message.

use super::super::cards::load;
use super::super::{edit, message};
use super::dataset;

/// What to exchange in the card, and the whole message, or after a star its beginning.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "file = \"{subject}/eeg.edf\"\nrate_hz = 100.0",
        "file = \"{subject}/eeg.edf\"\nrate_hz = 0.0",
        "card.toml: modality.eeg.rate_hz: 0, expected a positive number\nhint: samples per second to resample to",
    ),
    (
        "channel = \"channel 0\"",
        "channel = \"channel 9\"",
        "raw/P1/eeg.edf: channels: found [\"channel 0\", \"channel 1\", \"channel 2\"], expected exactly one `channel 9`\nhint: correct the channels in the card",
    ),
    (
        "unit = \"uV\"",
        "unit = \"mV\"",
        "card.toml: modality.eeg.channels: unit of channel `channel 0` is `mV`, P1/eeg.edf says `uV`\nhint: write `unit = \"uV\"`; units are not converted",
    ),
    (
        "name = \"slow\"",
        "name = \"channel 0\"",
        "card.toml: modality.eeg.channels: channel `channel 0` stands twice\nhint: give one of them another `name`",
    ),
    (
        "file = \"{subject}/eeg.edf\"",
        "file = \"{subject}/brain.nii\"",
        "*raw/P1/brain.nii: content: found NIfTI",
    ),
    (
        "axes = [\"z\", \"x\"]",
        "axes = []",
        "card.toml: modality.markers.axes: none, expected at least one\nhint: name some",
    ),
    (
        "axes = [\"z\", \"x\"]",
        "axes = [\"z\", \"z\"]",
        "card.toml: modality.markers.axes: channel `marker 2.z` stands twice\nhint: each channel has a name of its own",
    ),
    (
        "points = [\"marker 2\", \"marker 0\"]",
        "points = []",
        "card.toml: modality.markers.points: none, expected at least one\nhint: name some",
    ),
    (
        "points = [\"marker 2\", \"marker 0\"]",
        "points = [\"marker 7\"]",
        "raw/P1/walk.c3d: points: found [\"marker 0\", \"marker 1\", \"marker 2\"], expected exactly one `marker 7`\nhint: correct `points` in the card",
    ),
    (
        "rate_hz = 100.0\npoints",
        "file_rate_hz = 50.0\nrate_hz = 100.0\npoints",
        "card.toml: modality.markers.file_rate_hz: 50, P1/walk.c3d says 100 Hz\nhint: take it out, or correct it",
    ),
    (
        "file_rate_hz = 30.0\n",
        "",
        "card.toml: modality.pose.file_rate_hz: missing, and P1/pose_000000000000_keypoints.json does not tell its rate\nhint: state how many samples or frames a second has",
    ),
    (
        "points = [\"Neck\"]",
        "points = [\"Neck\"]\naxes = [\"z\"]",
        "raw/P1/pose_000000000000_keypoints.json: points: found 2 axes, expected an axis z\nhint: correct `axes` in the card",
    ),
    (
        "min_confidence = 0.5",
        "min_confidence = 1.5",
        "card.toml: modality.pose.min_confidence: 1.5, expected 0 to 1\nhint: 0 keeps every point that was seen at all",
    ),
    (
        "max_gap_secs = 0.034",
        "max_gap_secs = -1.0",
        "card.toml: modality.pose.max_gap_secs: -1, expected a number from 0\nhint: 0 bridges no gap",
    ),
    (
        "max_gap_secs = 0.034",
        "max_gap_secs = 0.033",
        "raw/P1/pose_000000000000_keypoints.json: channel `Neck.x`: found sample 2 missing or not finite (1 such samples in the channel), expected finite numbers\nhint: set `missing = \"interpolate\"` or `missing = \"mask\"` in the card's modality to accept it",
    ),
    (
        "slices = [1, 1, 1]",
        "slices = [1, 1, 0]",
        "card.toml: modality.brain.slices: [1, 1, 0], expected first, last and a step from 1 on\nhint: `[10, 19, 3]` keeps slices 10, 13, 16 and 19",
    ),
    (
        "slices = [1, 1, 1]",
        "slices = [2, 1, 1]",
        "card.toml: modality.brain.slices: [2, 1, 1], expected first, last and a step from 1 on\nhint: `[10, 19, 3]` keeps slices 10, 13, 16 and 19",
    ),
    (
        "slices = [1, 1, 1]",
        "slices = [2, 9, 1]",
        "raw/P1/brain.nii: images: found 2 of them, expected image 2, counted from 0\nhint: correct `slices` in the card",
    ),
    (
        "range = [-100.0, 300.0]",
        "range = [300.0, 300.0]",
        "card.toml: modality.brain.range: [300, 300], expected two numbers, the smaller one first\nhint: `[-160.0, 240.0]` shows soft tissue in HU",
    ),
    (
        "scale = [0.04, -273.15]",
        "scale = [0.0, -273.15]",
        "card.toml: modality.thermal.scale: [0, -273.15], expected a slope that is not 0, and an intercept\nhint: `[0.04, -273.15]` makes degrees Celsius of counts of 0.04 K",
    ),
    (
        "labels = { N = 1.0, V = 2.0, \"N end\" = 3.0 }",
        "labels = {}",
        "card.toml: modality.beats.labels: none, expected at least one\nhint: write which texts count: `labels = { N = 1, V = 2 }`",
    ),
    (
        "labels = { N = 1.0, V = 2.0, \"N end\" = 3.0 }",
        "labels = { N = nan }",
        "card.toml: modality.beats.labels: `N` is NaN, expected a number\nhint: write a finite one",
    ),
    (
        "labels = { N = 1.0, V = 2.0, \"N end\" = 3.0 }",
        "labels = { A = 1.0 }",
        "*raw/P1/frames.atr: annotations: found [",
    ),
    (
        "column = \"age\", unit = \"year\"",
        "column = \"age\"",
        "card.toml: modality.clinical.channels: `age` has no `unit`\nhint: write `unit = \"1\"` for numbers without one, or name a `scale`",
    ),
    (
        "column = \"age\", unit = \"year\"",
        "column = \"age\", scale = \"modified-rankin\"",
        "raw/patients.parquet: line 1, column `age`: found `61.5`, expected 0 to 6 in steps of 1\nhint: correct the column's unit, categories or missing codes in the card",
    ),
    (
        "scale = \"fugl-meyer-upper\" }]",
        "unit = \"%\", scale = \"fugl-meyer-upper\" }]",
        "card.toml: modality.clinical.channels: unit `%` of `fma`, expected `point`\nhint: leave `unit` out: the scale has one",
    ),
    (
        "id = \"subject\"",
        "id = \"subject\"\nlayout = { decimal = \",\" }",
        "raw/patients.parquet: first bytes: found Parquet, which holds numbers, expected text with decimal commas\nhint: take `decimal` out of the layout in the card",
    ),
    (
        "file = \"visits.csv\"",
        "file = \"visit.csv\"",
        "card.toml: modality.scores.file: there is no file `visit.csv` below raw\nhint: did you mean `visits.csv`?",
    ),
    (
        "until_week = 4",
        "until_week = -1",
        "card.toml: modality.scores.until_week: -1, before the first of [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]\nhint: name a week from the first on",
    ),
    (
        "at_weeks = [0, 2]",
        "at_weeks = [0, 6]",
        "card.toml: modality.scores.at_weeks: 6, expected some of [0.0, 2.0, 4.0]\nhint: channels are scores of the grid `visits.weeks` up to `until_week`",
    ),
    (
        "week = \"week\", ",
        "",
        "card.toml: modality.scores.visits: one of `date` and `week` is expected\nhint: datasets/README.md shows a table of visits",
    ),
    (
        "kind = \"threshold\"\ncolumn = \"age\"\nat_least = 61.5\n",
        "kind = \"responder\"\nfile = \"visits.csv\"\nitem = \"FMA\"\nmcid = 9\nto_week = 12\nvisits = { week = \"week\", items = { \"FMA-UE\" = \"fugl-meyer-upper\" } }\n",
        "card.toml: label.item: `FMA` is none of `visits.items`\nhint: did you mean `FMA-UE`?",
    ),
    (
        "kind = \"threshold\"\ncolumn = \"age\"\nat_least = 61.5\n",
        "kind = \"responder\"\nfile = \"visits.csv\"\nitem = \"FMA-UE\"\nmcid = \"arya\"\nto_week = 12\nvisits = { week = \"week\", items = { \"FMA-UE\" = \"fugl-meyer-upper\" } }\n",
        "card.toml: label.mcid: `mcid` is `arya`, expected a number or one of [arya-2011-low, arya-2011-high, acute-2023-low, acute-2023-mid, acute-2023-high, page-2012] for FuglMeyerUpper\nhint: the changes that are published stand in the docs of `data::clinical::Scale`",
    ),
    (
        "kind = \"threshold\"\ncolumn = \"age\"\nat_least = 61.5\n",
        "kind = \"responder\"\nfile = \"visits.csv\"\nitem = \"FMA-UE\"\nmcid = 9\nto_week = 11\nvisits = { week = \"week\", items = { \"FMA-UE\" = \"fugl-meyer-upper\" } }\n",
        "card.toml: label.to_week: 11, expected one of [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]\nhint: the grid is `label.visits.weeks`",
    ),
    (
        "kind = \"threshold\"\ncolumn = \"age\"\nat_least = 61.5\n",
        "kind = \"responder\"\nfile = \"visits.csv\"\nitem = \"FMA-UE\"\nmcid = 9\nto_week = 0\nvisits = { week = \"week\", items = { \"FMA-UE\" = \"fugl-meyer-upper\" } }\n",
        "card.toml: label.to_week: 0, expected more than from_week = 0\nhint: the outcome comes after the baseline",
    ),
    (
        "kind = \"threshold\"\ncolumn = \"age\"\nat_least = 61.5\n",
        "kind = \"responder\"\nfile = \"visits.csv\"\nitem = \"FMA-UE\"\nmcid = 9\nto_week = 6\nvisits = { week = \"week\", items = { \"FMA-UE\" = \"fugl-meyer-upper\" } }\n",
        "card.toml: modality.scores.until_week: 4: a score of week 4 may be that of week 6, the outcome, which counts 7 days around it\nhint: name an earlier week, or lower `visits.tolerance_days` here and in the label",
    ),
    (
        "rate_hz = 400.0\nchannels",
        "rate_hz = 400.0\nalign = { to = \"nobody\", to_channel = \"ECG lead II\", channel = \"emg1\", max_lag_secs = 0.5 }\nchannels",
        "card.toml: modality.emg.align.to: no other modality is called `nobody`\nhint: name one with a signal",
    ),
    (
        "rate_hz = 400.0\nchannels",
        "rate_hz = 400.0\nalign = { to = \"brain\", to_channel = \"ECG lead II\", channel = \"emg1\", max_lag_secs = 0.5 }\nchannels",
        "card.toml: modality.emg.align.to: `brain` is no signal\nhint: name one with a signal",
    ),
    (
        "rate_hz = 400.0\nchannels",
        "rate_hz = 400.0\nalign = { to = \"ecg\", to_channel = \"V\", channel = \"emg1\", max_lag_secs = 0.5 }\nchannels",
        "card.toml: modality.emg.align.to_channel: `ecg` has no channel `V`\nhint: name one of its channels",
    ),
    (
        "rate_hz = 400.0\nchannels",
        "rate_hz = 400.0\nalign = { to = \"ecg\", to_channel = \"ECG lead II\", channel = \"emg0\", max_lag_secs = 0.5 }\nchannels",
        "card.toml: modality.emg.align.channel: `emg` has no channel `emg0`\nhint: name one of its channels",
    ),
    (
        "rate_hz = 400.0\nchannels",
        "rate_hz = 400.0\nalign = { to = \"ecg\", to_channel = \"ECG lead II\", channel = \"emg1\", max_lag_secs = 0.0 }\nchannels",
        "card.toml: modality.emg.align.max_lag_secs: 0, expected a positive number\nhint: the largest shift to look at",
    ),
    (
        "rate_hz = 400.0\nchannels",
        "rate_hz = 400.0\nalign = { to = \"ecg\", to_channel = \"ECG lead II\", channel = \"emg1\", max_lag_secs = 0.5 }\nchannels",
        "card.toml: modality.emg.align: subject `P1`: first signal: sample 9 is missing or not finite\nhint: name channels that show the same events, or leave `align` out",
    ),
];

#[test]
fn mistakes_have_messages() {
    let mut wrong = Vec::new();
    for (from, to, expected) in MISTAKES {
        let folder = dataset();
        edit(&folder.path().join("card.toml"), from, to);
        let found = message(load(folder.path()).map(|_| "a cohort"), folder.path());
        let fits = expected
            .strip_prefix('*')
            .map_or(found == *expected, |start| found.starts_with(start));
        if !fits {
            wrong.push(format!("{from} -> {to}\nFOUND {found}\nWANTED {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
