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
    let again = ExperimentFile::parse("resolved.toml".as_ref(), plan.resolved_toml(), &[]).unwrap();
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
            "variant.base.name: this name is taken: variants have names of their own, and base is the experiment itself",
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

/// Everything that is wrong with [`EVERY_LAYER`] after these changes; the split has its own error.
fn refused(set: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let prepared = Prepared::build(&WALKERS.generate(), folder.path()).unwrap();
    let file = match ExperimentFile::parse("x.toml".as_ref(), EVERY_LAYER, &[set.to_owned()]) {
        Ok(file) => file,
        Err(error) => return error.to_string(),
    };
    match ExperimentPlan::new(&file, prepared, std::path::Path::new("checkpoints"), &|_, _| {}) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("--set {set}: nothing is wrong"),
    }
}

#[test]
fn sizes_that_no_machine_has_are_refused_with_their_key() {
    let keys = [
        "model.embedding_size",
        "model.head.hidden_sizes.0",
        "model.fusion.hidden_size",
        "model.stream.force.encoder.blocks.0.channels",
        "model.stream.force.encoder.blocks.0.kernel_size",
        "model.stream.force.encoder.blocks.0.stride",
        "model.stream.force.encoder.blocks.1.dilation",
        "model.stream.recurrent.encoder.lstm.hidden_size",
        "model.stream.stride.encoder.layers",
        "model.stream.spectrum.encoder.hop",
        "model.stream.spectrum.encoder.num_fft",
        "model.stream.clinical.encoder.hidden_sizes.0",
        "training.epochs",
        "training.batch_size",
        "training.accumulate_steps",
        "split.protocol.repeats",
    ];
    for key in keys {
        for size in ["9223372036854775807", "4611686018427387904", "1000000000"] {
            let message = refused(&format!("{key}={size}"));
            // A block is named as a whole.
            let parts: Vec<&str> = key.split('.').collect();
            let named = parts.iter().filter(|part| message.contains(**part)).count();
            assert!(named + 1 >= parts.len(), "{key}={size}: {message}");
            assert!(
                message.contains("at most") || message.contains("expected"),
                "{key}={size}: {message}"
            );
        }
    }
    for (set, key) in [
        (
            r#"model.fusion={ kind = "cross-attention", hidden_size = 8, num_layers = 1000000000, num_heads = 5 }"#,
            "model.fusion.num_layers",
        ),
        (
            r#"model.fusion={ kind = "bottleneck", hidden_size = 8, num_tokens = 1000000000, num_heads = 5 }"#,
            "model.fusion.num_tokens",
        ),
        (
            r#"model.stream.clinical.decoder={ kind = "lstm", hidden_size = 1000000000 }"#,
            "model.stream.clinical.decoder",
        ),
        (
            r#"model.stream.force.augment=[{ kind = "time-mask", max_share = 0.2, count = 1000000000 }]"#,
            "model.stream.force.augment[0].count",
        ),
    ] {
        let message = refused(set);
        assert!(message.contains(key), "{set}: {message}");
    }
    let seeds: Vec<String> = (0..20_000).map(|seed| seed.to_string()).collect();
    assert!(refused(&format!("seeds=[{}]", seeds.join(","))).contains("has 20000 seeds, expected at most 10000"));
    let seeds = seeds[..9_000].join(",");
    let many = with("[[variant]]\nname = \"a\"\n[[variant]]\nname = \"b\"\n");
    let many = many.replace("seeds = [0, 1, 2, 3, 4]", &format!("seeds = [{seeds}]"));
    assert_eq!(
        problems(&many),
        ["seeds: 5 splits x 9000 seeds x 3 variants are 135000 replicas, expected at most 100000"]
    );
}

#[test]
fn a_long_key_and_a_file_without_an_end_are_refused() {
    let deep = vec!["a"; 60_000].join(".");
    for parts in [65, 2_000, 60_000] {
        let key = &deep[..2 * parts - 1];
        let message = refused(&format!("{key}=1"));
        assert!(
            message.contains(&format!("the key has {parts} parts, at most 64")),
            "{parts}"
        );
        let variant = problems(&with(&format!(
            "[[variant]]\nname = \"x\"\nset = {{ \"features.{key}\" = 1 }}\n"
        )));
        assert!(variant[0].contains("parts, at most 64"), "{parts}");
    }
    let nested = format!("name = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(ExperimentFile::parse("x.toml".as_ref(), &nested, &[]).is_err());
    let endless = ExperimentFile::load("/dev/zero".as_ref(), &[]).unwrap_err().to_string();
    assert!(endless.contains("more than 16777216 bytes"), "{endless}");
}

#[test]
fn a_key_that_nobody_has_gets_the_closest_one() {
    for (set, hint) in [
        ("training.epocs=3", "hint: did you mean `epochs`?"),
        (
            "training.optimizer.learning_rates=3",
            "hint: did you mean `learning_rate`?",
        ),
        ("model.stream.force.encoder.kind=\"cnm\"", "hint: did you mean `cnn`?"),
    ] {
        let message = refused(set);
        assert!(message.contains(hint), "{message}");
    }
    let file = EVERY_LAYER.replace("early_stopping", "early_stoping");
    let message = ExperimentFile::parse("x.toml".as_ref(), &file, &[])
        .unwrap_err()
        .to_string();
    assert!(message.ends_with("hint: did you mean `early_stopping`?"), "{message}");
    assert!(!refused("training.zzzzzzz=3").contains("did you mean"));
}

#[test]
fn names_that_no_folder_can_have_are_refused() {
    let long = "a".repeat(201);
    for name in [
        "",
        "/",
        "a//b",
        "../a",
        "a/..",
        "a\u{1b}[31m",
        "a\nb",
        "a\u{7}",
        "a\\b",
        &long,
    ] {
        let text = EVERY_LAYER.replacen("name = \"law\"", &format!("name = {}", toml::Value::from(name)), 1);
        let found = problems(&text);
        assert!(
            found[0].starts_with("name: ") && found[0].contains("cannot name a folder"),
            "{found:?}"
        );
        assert!(!found[0].contains('\u{1b}') && !found[0].contains('\n'), "{found:?}");
    }
}
