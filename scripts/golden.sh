#!/usr/bin/env bash
# Makes the fixtures and golden files of formats and features again, in place; then `git diff --stat tests formats/tests` shows what changed.
#
#   scripts/golden.sh [FOLDER OF REAL DATA]
#
# FOLDER has the layout of RECOUP_TEST_DATA (c3d/, dicom/, edf/, gaitndd/, nifti/, wfdb_samples/, ...). What a script takes
# from real data stays as it is without a folder. Python packages go to target/golden-venv; GOLDEN_PYTHON names another Python
# that has those of tests/golden/requirements.txt.
#
# Not made here: fusion and training (PyTorch 1.13), decoder (NumPy 1.24), tracking (tests/python/requirements.txt), evaluation
# (its last bits depend on the processor). Each script says how.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${1:+$(realpath "$1")}
python=${GOLDEN_PYTHON:-}
if [ -z "$python" ]; then
    wanted=tests/golden/requirements.txt venv=target/golden-venv
    python=$venv/bin/python
    if ! cmp -s "$wanted" "$venv/requirements.txt"; then
        python3 -m venv --clear "$venv"
        "$python" -m pip install --quiet --disable-pip-version-check -r "$wanted"
        cp "$wanted" "$venv/requirements.txt"
    fi
fi

made=$(mktemp)
trap 'rm -f "$made"' EXIT

# golden TOPIC [ARGUMENT...]: what the script prints takes the place of the file once it is complete.
golden() {
    local folder=tests/golden
    [ -f "$folder/$1.py" ] || folder=formats/tests/golden
    echo "$folder/$1.json"
    "$python" -W ignore "$folder/$1.py" "${@:2}" >"$made"
    cp "$made" "$folder/$1.json"
}

# sampled TOPIC FOLDER: a golden file that holds readings of real data.
sampled() {
    if [ -n "$data" ]; then
        golden "$1" "$data/$2"
    else
        echo "$1.json: kept, needs real data"
    fi
}

for script in make_data dicom/make_dicom edf/make_edf parquet/make wfdb/make_records; do
    echo "formats/tests/fixtures/data/$script.py"
    "$python" -W ignore "formats/tests/fixtures/data/$script.py"
done
if [ -n "$data" ]; then
    echo "formats/tests/fixtures/data/motion/make_motion.py"
    "$python" -W ignore formats/tests/fixtures/data/motion/make_motion.py "$data"
fi

for topic in align augment clinical eeg emg filter hrv image_features images lasso motion pca ppg resample simulate \
    spectrum split stride table tiff wavelet window_statistics; do
    case $topic in
        stride) golden stride ${data:+"$data/gaitndd"} ;;
        *) golden "$topic" ;;
    esac
done
sampled c3d c3d/Samples_C3D
sampled dicom_readings .
sampled ecg wfdb_samples/sample-data
sampled edf_readings .
sampled nifti nifti
sampled wfdb wfdb_samples/sample-data
sampled wfdb_complete wfdb_samples/sample-data
