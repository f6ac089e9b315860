//! The estimate of memory, by which groups are made, against what training takes on the CPU.

use std::collections::BTreeMap;

use burn::tensor::Device;
use recoup::launch::memory::{DeviceMemory, bytes_per_replica, group_sizes};
use recoup::training::checkpoint::CheckpointStore;
use recoup::training::step::Group;
use recoup::training::trainer::{EpochReport, Observer, ObserverError, StepReport, Trainer};

use super::support::{data, plan};
use crate::allocation::Meter;

/// One encoder over the force signal, or over the images; what is around it is small.
fn experiment(modality: &str, encoder: &str, fusion: &str, decoder: &str) -> String {
    format!(
        r#"
name = "memory"
[data]
source = {{ kind = "dataset", name = "walkers" }}
window = {{ window_secs = 5.0, stride_secs = 1.0 }}
[split]
protocol = {{ kind = "stratified-group-k-fold", folds = 2 }}
[model]
embedding_size = 8
fusion = {fusion}
[[model.stream]]
name = "stream"
modality = "{modality}"
encoder = {encoder}
{decoder}
[[model.stream]]
name = "clinical"
modality = "clinical"
encoder = {{ kind = "mlp", hidden_sizes = [4] }}
[training]
epochs = 1
batch_size = 32
optimizer = {{ kind = "adamw", learning_rate = 0.01 }}
"#
    )
}

/// Takes the peak before the checkpoint is written, which is no part of a step.
struct PeakOfSteps {
    meter: Meter,
    peak: usize,
}

impl Observer for PeakOfSteps {
    fn steps(&mut self, _: &[StepReport]) -> Result<(), ObserverError> {
        Ok(())
    }

    fn epoch(&mut self, reports: &[EpochReport]) -> Result<Vec<Option<f64>>, ObserverError> {
        self.peak = self.meter.peak();
        Ok(vec![None; reports.len()])
    }

    fn interrupted(&self) -> bool {
        false
    }
}

#[test]
fn training_takes_no_more_memory_than_estimated() {
    // The allocator counts by thread.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build();
    let pool = pool.unwrap();
    let attention = r#"{ kind = "attention", hidden_size = 8 }"#;
    let mlp = r#"{ kind = "mlp", hidden_sizes = [8] }"#;
    let cnn = r#"{ kind = "cnn", blocks = [{ channels = 16, kernel_size = 9, stride = 2 }, { channels = 16, kernel_size = 5, residual = true, pool = { kind = "max", size = 2 } }] }"#;
    let large = |kind: &str| format!("{{ kind = {kind:?}, hidden_size = 512, num_layers = 3, num_heads = 4 }}");
    let cases: [(&str, &str, String, &str); 15] = [
        (
            "force",
            r#"{ kind = "mlp", hidden_sizes = [256, 64] }"#,
            attention.into(),
            "",
        ),
        ("force", cnn, attention.into(), ""),
        (
            "force",
            r#"{ kind = "cnn", norm = { kind = "batch" }, pooling = "stats", blocks = [{ channels = 32, kernel_size = 9 }] }"#,
            attention.into(),
            "",
        ),
        (
            "force",
            r#"{ kind = "lstm", hidden_size = 32, layers = 2, bidirectional = true }"#,
            attention.into(),
            "",
        ),
        (
            "force",
            r#"{ kind = "cnn-lstm", cnn = { blocks = [{ channels = 16, kernel_size = 9, stride = 4 }] }, lstm = { hidden_size = 32 } }"#,
            attention.into(),
            "",
        ),
        (
            "force",
            r#"{ kind = "spectrogram", num_fft = 64, hop = 8, cnn = { blocks = [{ channels = 8, kernel_size = 3 }, { channels = 16, kernel_size = 3, stride = 2 }] } }"#,
            attention.into(),
            "",
        ),
        (
            "motion",
            r#"{ kind = "cnn", blocks = [{ channels = 16, kernel_size = 3 }] }"#,
            attention.into(),
            "",
        ),
        ("motion", mlp, attention.into(), ""),
        (
            "clinical",
            r#"{ kind = "mlp", hidden_sizes = [512, 512] }"#,
            attention.into(),
            "",
        ),
        ("clinical", mlp, r#"{ kind = "gated", hidden_size = 512 }"#.into(), ""),
        ("clinical", mlp, large("cross-attention"), ""),
        ("clinical", mlp, large("bottleneck"), ""),
        (
            "force",
            mlp,
            attention.into(),
            r#"decoder = { kind = "mlp", hidden_sizes = [64] }"#,
        ),
        (
            "force",
            mlp,
            attention.into(),
            r#"decoder = { kind = "cnn", blocks = [{ channels = 16, kernel_size = 9 }, { channels = 8, kernel_size = 9 }] }"#,
        ),
        (
            "force",
            mlp,
            attention.into(),
            r#"decoder = { kind = "lstm", hidden_size = 32 }"#,
        ),
    ];
    let mut table = String::new();
    let mut worst = 0.0_f64;
    for (modality, encoder, fusion, decoder) in cases {
        let folder = tempfile::tempdir().unwrap();
        let set: &[&str] = match decoder {
            "" => &[],
            _ => &["training.loss=[{ kind = \"cross-entropy\" }, { kind = \"reconstruction\" }]"],
        };
        let plan = plan(&experiment(modality, encoder, &fusion, decoder), set, folder.path());
        let program = plan.base();
        let device = Device::flex();
        let data = data(&plan, program, &device);
        let store = CheckpointStore::new(
            folder.path(),
            plan.hash(),
            program.model().layout(),
            &program.config().training.optimizer,
        );
        let peak = pool.install(|| {
            let mut observer = PeakOfSteps {
                meter: Meter::start(),
                peak: 0,
            };
            let replicas = vec![program.replicas()[0].replica()];
            let group = Group::new(program.model(), &data, replicas, &program.config().training);
            let trainer = Trainer::new(group, &store, 1, &BTreeMap::new()).unwrap();
            trainer.run(&mut observer).unwrap();
            observer.peak as f64
        });
        let estimate = bytes_per_replica(program);
        worst = worst.max(peak / estimate);
        let ratio = estimate / peak;
        table.push_str(&format!(
            "{ratio:6.2} = {estimate:12.0} / {peak:12.0}  {modality} {encoder} {fusion} {decoder}\n"
        ));
    }
    assert!(worst <= 1.0, "estimate / measured:\n{table}");
    println!("{table}");
}

#[test]
fn groups_fill_the_memory_of_the_device_and_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let encoder = r#"{ kind = "mlp", hidden_sizes = [8] }"#;
    let text = experiment("clinical", encoder, r#"{ kind = "concat" }"#, "");
    let plan = plan(&text, &["seeds=[0, 1, 2, 3]"], folder.path());
    let replica = bytes_per_replica(plan.base());
    let data = recoup::launch::memory::data_bytes(&plan);
    let sizes = |memory: DeviceMemory, max| group_sizes(&plan, memory, max);
    let gpu = |replicas: f64| DeviceMemory::Device(((data + replicas * replica) / 0.75) as u64 + 1);
    assert_eq!(sizes(gpu(3.5), None).unwrap(), [3]);
    assert_eq!(sizes(gpu(1e6), None).unwrap(), [8], "no more than there are");
    assert_eq!(sizes(gpu(3.5), Some(2)).unwrap(), [2]);
    // Half of what is free on the host, whatever the host has beside it.
    let host = DeviceMemory::Host((2.0 * (data + 5.5 * replica)) as u64);
    assert_eq!(sizes(host, None).unwrap(), [5]);
    for small in [gpu(0.5), DeviceMemory::Device(0), DeviceMemory::Host(1)] {
        let message = sizes(small, None).unwrap_err().to_string();
        assert!(message.contains("one replica needs about"), "{message}");
        assert!(message.contains("hint: make training.batch_size"), "{message}");
        assert_eq!(sizes(small, Some(1)).unwrap(), [1], "the user may try");
    }
}
