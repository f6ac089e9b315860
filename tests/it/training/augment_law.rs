//! Training under every random change to samples, mixup included: the replica law, and predictions untouched.

use burn::tensor::Device;
use recoup::models::matrix;
use recoup::training::step::{Group, floats};
use recoup::training::trainer::TrainError;

use super::support::{EVERY_LAYER, Script, assert_same_bytes, data, plan, replicas, store, train, train_fresh};

/// [`EVERY_LAYER`] with every kind of change where it can be, and mixup.
fn every_change() -> String {
    let anywhere = r#"{ kind = "scaling", std = 0.1 }, { kind = "jitter", std = 0.1 }"#;
    let in_time = |edge: &str| {
        format!(
            "{{ kind = \"time-shift\", max_share = 0.3, edge = \"{edge}\" }}, {anywhere}, \
             {{ kind = \"channel-dropout\", rate = 0.3 }}, {{ kind = \"time-mask\", max_share = 0.3, count = 2 }}"
        )
    };
    let lists = [
        ("force", in_time("wrap")),
        ("recurrent", in_time("zero")),
        ("spectrum", anywhere.to_owned()),
        ("stride", in_time("wrap")),
        ("clinical", anywhere.to_owned()),
        ("motion", anywhere.to_owned()),
    ];
    let mut text = EVERY_LAYER.replace("[training]\n", "[training]\nmixup = { alpha = 0.4 }\n");
    text = text.replace(
        "hop = 50\n",
        "hop = 50\nmask = { frequency_share = 0.2, time_share = 0.3 }\n",
    );
    for (name, list) in lists {
        let head = format!("name = \"{name}\"\n");
        assert!(text.contains(&head));
        text = text.replace(&head, &format!("{head}augment = [{list}]\n"));
    }
    text
}

#[test]
fn the_replica_law_holds_under_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&every_change(), &["training.epochs=2"], folder.path());
    let five: Vec<_> = replicas(&plan).into_iter().step_by(5).collect();
    let device = Device::flex();
    let together = train_fresh(&plan, &five, 5, &device);
    for group_size in [1, 2, 3] {
        for (name, state) in train_fresh(&plan, &five, group_size, &device) {
            assert_same_bytes(&state, &together[&name], &format!("{name} in groups of {group_size}"));
        }
    }
    // Cut off every two steps, in the middle of epochs, each attempt with another size of groups.
    let place = tempfile::tempdir().unwrap();
    let store = store(&plan, place.path());
    let mut attempts = 0;
    let done = loop {
        attempts += 1;
        match train(
            &plan,
            &five,
            [5, 2][attempts % 2],
            &device,
            &store,
            &mut Script::new(Some(2)),
        ) {
            Ok(done) => break done,
            Err(TrainError::Interrupted) => assert!(attempts < 100, "no progress"),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(attempts > 2);
    for (name, state) in &done {
        assert_same_bytes(state, &together[name], &format!("{name} in {attempts} attempts"));
    }
}

#[test]
fn predictions_are_those_of_the_model_without_changes() {
    let device = Device::flex();
    let [plain, changed] = [EVERY_LAYER.to_owned(), every_change()].map(|text| {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(&text, &[], folder.path());
        let (program, replica) = (plan.base(), replicas(&plan)[0]);
        let data = data(&plan, program, &device);
        let group = Group::new(program.model(), &data, vec![replica], &program.config().training);
        let layout = program.model().layout();
        let [weights, buffers] = replica.first_values(layout).unwrap().map(|row| matrix(row, 1, &device));
        let predicted = group.predict(&weights, &buffers, &[&replica.test], 8);
        let batch = vec![vec![replica.train.concat().into_iter().take(8).map(Some).collect()]];
        (
            predicted,
            floats(group.gradients(&weights, &buffers, &[0], &batch).losses),
        )
    });
    assert_eq!(plain.0, changed.0);
    assert_ne!(plain.1, changed.1, "training is to see the changes");
}
