//! Experiments: composition, variants, and what is reported when they cannot be.

use std::fs;

use burn::tensor::Device;
use recoup::cohort::prepared::Prepared;
use recoup::experiment::{ExperimentError, ExperimentFile, ExperimentPlan, Selection};
use recoup::training::Replica;

use crate::training::support::{EVERY_LAYER, WALKERS, assert_same_bytes, plan, replicas, train_program};

/// The law's experiment with these lines at its end.
fn with(lines: &str) -> String {
    format!("{EVERY_LAYER}\n{lines}")
}

const CHANGES: &str = r#"
[[variant]]
name = "slow"
set = { "training.optimizer.learning_rate" = 0.005, "model.dropout" = 0.0, "training.class_weights" = "none" }

[[variant]]
name = "concat"
set = { "model.fusion" = { kind = "concat" } }

[[variant]]
name = "without-force"
without_modalities = ["force"]

[[variant]]
name = "without-spectrum"
without_streams = ["spectrum"]

[[variant]]
name = "short"
set = { "data.window" = { window_secs = 3.0, stride_secs = 3.0 }, "model.stream.spectrum.encoder.hop" = 25 }
"#;

#[test]
fn variants_that_keep_the_program_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&with(CHANGES), &["seeds=[0, 1]"], folder.path());
    let programs: Vec<(&str, usize)> = plan
        .programs()
        .iter()
        .map(|program| (program.name(), program.replicas().len()))
        .collect();
    let expected = [
        ("base", 20),
        ("concat", 10),
        ("without-force", 10),
        ("without-spectrum", 10),
        ("short", 10),
    ];
    assert_eq!(programs, expected, "`slow` differs only in what a replica carries");
    let mut indices: Vec<usize> = plan.replicas().map(|planned| planned.index()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..60).collect::<Vec<_>>());

    let streams = |name: &str| -> Vec<String> {
        let program = plan.programs().iter().find(|program| program.name() == name).unwrap();
        program
            .config()
            .model
            .stream
            .iter()
            .map(|stream| stream.name.clone())
            .collect()
    };
    assert_eq!(
        streams("without-force"),
        ["stride", "clinical", "motion", "level", "variability"]
    );
    assert_eq!(
        streams("without-spectrum"),
        [
            "force",
            "recurrent",
            "stride",
            "clinical",
            "motion",
            "level",
            "variability"
        ]
    );

    // Base and variant of one fold and seed draw the same numbers.
    let replica = |name: &str| -> &Replica { replicas(&plan).into_iter().find(|r| r.name == name).unwrap() };
    let (base, slow) = (replica("repeat0-fold3-seed1"), replica("slow-repeat0-fold3-seed1"));
    assert_eq!(base.seed, slow.seed);
    assert_eq!((base.hyper.learning_rate, slow.hyper.learning_rate), (0.02, 0.005));
    assert_eq!((base.hyper.dropout, slow.hyper.dropout), (0.3, 0.0));
    assert_eq!(slow.hyper.class_weights, [1.0, 1.0]);
    assert_ne!(base.hyper.class_weights, [1.0, 1.0]);
}

#[test]
fn a_variant_trains_to_the_bytes_of_the_experiment_with_its_change() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["seeds=[0]", "training.epochs=2"];
    let plan_of = |text: &str, more: &[&str]| plan(text, &[&few, more].concat(), folder.path());
    let together = plan_of(&with(CHANGES), &[]);
    let device = Device::flex();
    let changes: [(&str, &[&str]); 3] = [
        (
            "slow",
            &[
                "training.optimizer.learning_rate=0.005",
                "model.dropout=0.0",
                "training.class_weights=none",
            ],
        ),
        ("concat", &["model.fusion={ kind = \"concat\" }"]),
        (
            "short",
            &[
                "data.window={ window_secs = 3.0, stride_secs = 3.0 }",
                "model.stream.spectrum.encoder.hop=25",
            ],
        ),
    ];
    for (variant, change) in changes {
        let program = together
            .programs()
            .iter()
            .find(|program| program.replicas().iter().any(|planned| planned.variant() == variant))
            .unwrap();
        let states = train_program(&together, program, &device);
        let alone = plan_of(EVERY_LAYER, change);
        for (name, state) in train_program(&alone, alone.base(), &device) {
            let name = format!("{variant}-{name}");
            assert_same_bytes(&states[&name], &state, &name);
        }
    }
}

#[test]
fn a_file_is_merged_over_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("law.toml", EVERY_LAYER);
    fs::create_dir(folder.path().join("deeper")).unwrap();
    write(
        "deeper/middle.toml",
        "base = \"../law.toml\"\nname = \"middle\"\n[training]\nepochs = 9\noptimizer = { weight_decay = 0.5 }\n",
    );
    write(
        "top.toml",
        "base = \"deeper/middle.toml\"\nname = \"top\"\nseeds = [7]\n[model]\nfusion = { kind = \"concat\" }\n\
         [training]\nschedule = { kind = \"constant\" }\n",
    );
    let load = |name: &str, set: &[String]| ExperimentFile::load(&folder.path().join(name), set).map_err(Box::new);
    let file = load("top.toml", &["training.batch_size=3".into()]).unwrap();
    let expected = ExperimentFile::parse(
        "x".as_ref(),
        EVERY_LAYER,
        &[
            "name=top",
            "seeds=[7]",
            "model.fusion={ kind = \"concat\" }",
            "training.epochs=9",
            "training.optimizer.weight_decay=0.5",
            "training.schedule={ kind = \"constant\" }",
            "training.batch_size=3",
        ]
        .map(str::to_owned),
    );
    assert_eq!(file.config, expected.unwrap().config);
    assert_eq!(file.line_of("model.fusion"), Some(5));
    assert_eq!(file.line_of("training.epochs"), None, "it stands in another file");

    let place = |name: &str| folder.path().join(name).display().to_string();
    let message = |name: &str| load(name, &[]).unwrap_err().to_string();
    write("circle.toml", "base = \"circle.toml\"\n");
    assert_eq!(
        message("circle.toml"),
        format!(
            "{}: base {0}: more than 16 files, so they name each other",
            place("circle.toml")
        )
    );
    write("number.toml", "base = 3\n");
    assert_eq!(
        message("number.toml"),
        format!(
            "{}: base is 3, expected the path of an experiment file",
            place("number.toml")
        )
    );
    write("nowhere.toml", "base = \"none.toml\"\n");
    assert!(message("nowhere.toml").starts_with(&format!("{}: cannot read the experiment:", place("none.toml"))));
    write("typo.toml", "base = \"law.toml\"\n[training]\nepoch = 3\n");
    assert!(
        message("typo.toml").contains("unknown field `epoch`"),
        "{}",
        message("typo.toml")
    );
}

#[test]
fn a_resolved_experiment_is_the_same_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(&with(CHANGES), &[], folder.path());
    let again = ExperimentFile::parse("resolved.toml".as_ref(), &plan.resolved_toml(), &[]).unwrap();
    assert_eq!(again.config, *plan.config());
}

/// Everything that is wrong with an experiment, one line per problem.
fn problems(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let prepared = Prepared::build(&WALKERS.generate(), folder.path()).unwrap();
    let file = ExperimentFile::parse("x.toml".as_ref(), text, &[]).unwrap();
    match ExperimentPlan::new(&file, prepared, std::path::Path::new("checkpoints"), &|_, _| {}) {
        Err(ExperimentError::Problems { problems, .. }) => {
            problems.iter().map(|located| located.problem.to_string()).collect()
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("nothing is wrong"),
    }
}

#[test]
fn variants_that_cannot_be_compared_are_refused() {
    let of = |lines: &str| problems(&with(lines));
    assert_eq!(
        of("[[variant]]\nname = \"base\"\n[[variant]]\nname = \"a/b\"\n"),
        [
            "variant.base.name(): this name is taken: variants have names of their own, and base is the experiment itself",
            "variant.a/b.name: \"a/b\" cannot name a folder: use letters, digits, -, _ and .",
        ]
    );
    assert_eq!(
        of("[[variant]]\nname = \"other-split\"\nset = { \"split.seed\" = 3 }\n"),
        [
            "variant.other-split.set: split.seed is what variants share, so that they can be compared: they may change \
          features, model, training, data.window"
        ]
    );
    assert_eq!(
        of("[[variant]]\nname = \"x\"\nwithout_modalities = [\"emg\"]\n"),
        [
            "variant.x.without_modalities: no stream has modality \"emg\"; there is force, force, force, stride, clinical, \
          motion, level, variability"
        ]
    );
    assert_eq!(
        of("[[variant]]\nname = \"x\"\n\
            without_modalities = [\"force\", \"stride\", \"clinical\", \"motion\", \"level\", \"variability\"]\n"),
        ["variant.x.name: this variant has no stream left"]
    );
    let unknown = of("[[variant]]\nname = \"x\"\nset = { \"training.epoch\" = 3 }\n");
    assert!(
        unknown[0].starts_with("variant.x.set: unknown field `epoch`"),
        "{unknown:?}"
    );
    let shape = of(
        "[[variant]]\nname = \"x\"\nset = { \"model.stream.clinical.encoder\" = { kind = \"lstm\", hidden_size = 3 } }\n",
    );
    assert_eq!(
        shape,
        [
            "model.stream.clinical.encoder.kind: this encoder needs a signal or a series, but the modality is a row of 3 values"
        ]
    );
}

#[test]
fn an_autoencoder_that_would_look_at_classes_is_refused() {
    let loss = "training.loss=[{ kind = \"reconstruction\" }]";
    let text = |more: &[&str]| {
        let set: Vec<String> = more.iter().map(|set| set.to_string()).collect();
        toml::to_string(&ExperimentFile::parse("x".as_ref(), EVERY_LAYER, &set).unwrap().config).unwrap()
    };
    assert_eq!(
        problems(&text(&[loss])),
        [
            "training.loss: has a reconstruction, but no stream has a decoder: add `decoder = { kind = ... }` to one",
            "training.class_weights: an autoencoder must not see the classes: use none",
            "training.label_smoothing: an autoencoder does not see the labels that this smooths: leave it out",
            "training.monitor: selects by the classes, which an autoencoder must not see: use valid/reconstruction",
        ]
    );
    let decoder = "model.stream.clinical.decoder={ kind = \"mlp\", hidden_sizes = [4] }";
    assert_eq!(
        problems(&text(&[decoder])),
        [
            "training.loss: has no reconstruction, but a stream has a decoder, which nothing would train: add \
             { kind = \"reconstruction\" }"
        ]
    );
    let entries = "training.loss=[{ kind = \"cross-entropy\", weight = 0.0 }, { kind = \"cross-entropy\" }]";
    assert_eq!(
        problems(&text(&[entries])),
        [
            "training.loss[0].weight: is 0: must be greater than 0; leave the loss out to switch it off",
            "training.loss[1]: this kind is in the list already: one entry with the sum of the weights is the same",
        ]
    );
    assert_eq!(
        problems(&text(&["training.loss=[]"]))[0],
        "training.loss: is empty: expected at least one loss, such as { kind = \"cross-entropy\" }"
    );
    let folder = tempfile::tempdir().unwrap();
    let fine = [
        loss,
        decoder,
        "training.monitor=valid/reconstruction",
        "training.class_weights=none",
        "training.label_smoothing=0.0",
    ];
    assert_eq!(
        plan(EVERY_LAYER, &fine, folder.path()).base().selection(),
        Selection::Reconstruction
    );
}
