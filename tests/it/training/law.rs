//! The replica law: a replica ends with the same bytes whatever trains beside it and however often it is cut off.

use std::collections::BTreeMap;

use burn::tensor::Device;
use recoup::training::trainer::TrainError;
use recoup::training::{Replica, Status};

use super::support::{EVERY_LAYER, Script, assert_same_bytes, plan, replicas, store, train, train_fresh};

#[test]
fn together_alone_and_in_chunks_end_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(EVERY_LAYER, &[], folder.path());
    let all = replicas(&plan);
    assert_eq!(all.len(), 25);
    let device = Device::flex();
    let together = train_fresh(&plan, &all, 25, &device);
    let stopped = together
        .values()
        .filter(|state| state.progress.status == Status::Stopped)
        .count();
    assert!(
        stopped > 0 && stopped < 25,
        "the test needs replicas that stop early and others: {stopped} of 25 stopped"
    );
    for group_size in [5, 7] {
        let chunks = train_fresh(&plan, &all, group_size, &device);
        for (name, state) in &chunks {
            assert_same_bytes(state, &together[name], &format!("{name} in groups of {group_size}"));
        }
    }
    for &replica in all.iter().step_by(6) {
        let alone = train_fresh(&plan, &[replica], 1, &device);
        assert_same_bytes(&alone[&replica.name], &together[&replica.name], &replica.name);
    }
}

#[test]
fn the_law_holds_for_other_sizes_optimisers_and_schedules() {
    let variants: [&[&str]; 6] = [
        &[
            "training.batch_size=1",
            "training.accumulate_steps=1",
            "training.epochs=1",
            "training.optimizer={ kind = \"sgd\", learning_rate = 0.01, momentum = 0.9, nesterov = true }",
            "training.schedule={ kind = \"cosine\", warmup_epochs = 0.5 }",
        ],
        &[
            "training.batch_size=64",
            "training.accumulate_steps=1",
            "training.epochs=2",
            "training.schedule={ kind = \"plateau\", factor = 0.5, patience_epochs = 0 }",
            "model.fusion={ kind = \"concat\" }",
        ],
        &[
            "training.epochs=2",
            "model.dropout=0.0",
            "training.schedule={ kind = \"step\", every_epochs = 1, factor = 0.1 }",
        ],
        &[
            "training.epochs=1",
            "model.modality_dropout=0.3",
            "model.fusion={ kind = \"gated\", hidden_size = 4 }",
        ],
        &[
            "training.epochs=1",
            "model.modality_dropout=0.3",
            "model.fusion={ kind = \"cross-attention\", num_heads = 5, num_layers = 2, hidden_size = 6 }",
        ],
        &[
            "training.epochs=1",
            "model.modality_dropout=0.3",
            "model.fusion={ kind = \"bottleneck\", num_tokens = 3, num_heads = 1, hidden_size = 6 }",
        ],
    ];
    for assignments in variants {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(EVERY_LAYER, assignments, folder.path());
        let five: Vec<&Replica> = replicas(&plan).into_iter().step_by(5).collect();
        let together = train_fresh(&plan, &five, 5, &Device::flex());
        for replica in &five[..2] {
            let alone = train_fresh(&plan, &[replica], 1, &Device::flex());
            let what = format!("{} {assignments:?}", replica.name);
            assert_same_bytes(&alone[&replica.name], &together[&replica.name], &what);
        }
    }
}

/// On whatever adapter is there; in CI a software one, where a step takes long: two steps of three replicas.
#[cfg(feature = "wgpu")]
#[test]
fn the_law_holds_on_wgpu() {
    let device = Device::wgpu(burn::tensor::DeviceKind::default());
    let small = [
        "training.epochs=1",
        "training.batch_size=8",
        "training.accumulate_steps=1",
    ];
    let folder = tempfile::tempdir().unwrap();
    let walkers = crate::walkers::Walkers {
        num_subjects: 11,
        ..super::support::WALKERS
    };
    let plan = super::support::plan_of(&walkers, EVERY_LAYER, &small, folder.path());
    let three: Vec<&Replica> = replicas(&plan).into_iter().step_by(9).collect();
    let together = train_fresh(&plan, &three, 3, &device);
    let alone = train_fresh(&plan, &three[1..2], 1, &device);
    let name = &three[1].name;
    assert_same_bytes(&alone[name], &together[name], name);
}

#[test]
fn the_number_of_threads_changes_no_bits() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(EVERY_LAYER, &["training.epochs=1"], folder.path());
    let all = replicas(&plan);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train_fresh(&plan, &all[..5], 5, &Device::flex()))
    };
    let one = on(1);
    for (name, state) in on(3) {
        assert_same_bytes(&state, &one[&name], &name);
    }
}

#[test]
fn a_replica_that_diverges_reaches_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(EVERY_LAYER, &[], folder.path());
    let mut five: Vec<Replica> = replicas(&plan).into_iter().take(5).cloned().collect();
    let healthy = train_fresh(&plan, &five.iter().collect::<Vec<_>>(), 5, &Device::flex());
    five[2].hyper.learning_rate = 1e30;
    let with_one_diverging = train_fresh(&plan, &five.iter().collect::<Vec<_>>(), 5, &Device::flex());
    for (at, replica) in five.iter().enumerate() {
        let state = &with_one_diverging[&replica.name];
        if at == 2 {
            assert_eq!(state.progress.status, Status::Diverged);
        } else {
            assert_same_bytes(state, &healthy[&replica.name], &replica.name);
        }
    }
}

#[test]
fn cut_off_at_any_step_and_resumed_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(EVERY_LAYER, &["training.epochs=3"], folder.path());
    let five: Vec<&Replica> = replicas(&plan).into_iter().skip(3).step_by(5).collect();
    let straight = train_fresh(&plan, &five, 5, &Device::flex());
    for cut in [1, 2, 3, 4, 7, 9] {
        let place = tempfile::tempdir().unwrap();
        let store = store(&plan, place.path());
        let mut attempts = 0;
        // Cut off every `cut` steps until done, each attempt with another size of groups.
        let done: BTreeMap<_, _> = loop {
            attempts += 1;
            let group_size = [5, 2, 1][attempts % 3];
            match train(
                &plan,
                &five,
                group_size,
                &Device::flex(),
                &store,
                &mut Script::new(Some(cut)),
            ) {
                Ok(done) => break done,
                Err(TrainError::Interrupted) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(attempts < 200, "no progress");
        };
        assert!(attempts > 1);
        for (name, state) in &done {
            assert_same_bytes(
                state,
                &straight[name],
                &format!("{name} cut every {cut} steps, {attempts} attempts"),
            );
        }
    }
}

#[test]
fn one_replica_can_be_taken_out_of_a_checkpoint_and_resumed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(EVERY_LAYER, &[], folder.path());
    let five: Vec<&Replica> = replicas(&plan).into_iter().take(5).collect();
    let straight = train_fresh(&plan, &five, 5, &Device::flex());
    let place = tempfile::tempdir().unwrap();
    let store = store(&plan, place.path());
    let cut = train(&plan, &five, 5, &Device::flex(), &store, &mut Script::new(Some(3)));
    assert!(matches!(cut, Err(TrainError::Interrupted)));
    let alone = train(&plan, &five[3..4], 1, &Device::flex(), &store, &mut Script::new(None)).unwrap();
    let name = &five[3].name;
    assert_same_bytes(&alone[name], &straight[name], name);
}
