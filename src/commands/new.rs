use std::path::Path;

use recoup::dataset::card::Card;
use recoup::dataset::draft::draft;
use recoup::dataset::subjects::{ModalityKind, ModalitySpec};
use recoup::runs::write_document;

use super::Usage;

/// Drafts a card and an experiment for the recordings in `folder`, and lists what it could not infer.
pub fn run(folder: &Path) -> super::Result<()> {
    let (card, experiment) = (folder.join("card.toml"), folder.join("experiment.toml"));
    if let Some(there) = [&card, &experiment].into_iter().find(|path| path.exists()) {
        let message = format!(
            "{} is there already\nhint: move it away to have it drafted again",
            there.display()
        );
        return Err(Usage(message).into());
    }
    let draft = draft(folder)?;
    // The draft parses: that is its promise. Its modalities are those of the experiment.
    let drafted = Card::parse(draft.toml.clone(), &card)?;
    write_document(&card, draft.toml.as_bytes())?;
    let modalities: Vec<ModalitySpec> = drafted.modalities.iter().map(|rule| rule.spec()).collect();
    write_document(&experiment, experiment_draft(&drafted.name, &modalities).as_bytes())?;

    let list = |lines: &[String]| lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
    super::print(&format!(
        "found\n{}not inferred: answer these in {}\n{}then\n  recoup data prepare {name}\n  recoup data audit \
         {experiment}\n  recoup train {experiment}\n",
        list(&draft.findings),
        card.display(),
        list(&draft.questions),
        name = drafted.name,
        experiment = experiment.display(),
    ))
}

/// One stream per modality, each with a small encoder for its kind.
fn experiment_draft(name: &str, modalities: &[ModalitySpec]) -> String {
    let mut text = format!(
        "# Drafted: one small encoder per modality, fused by attention. experiments/README.md lists the keys.\n\
         name = {name:?}\n\n\
         [data]\n\
         source = {{ kind = \"dataset\", name = {name:?} }}\n\
         # Long signals are better cut: window = {{ window_secs = 10.0, stride_secs = 5.0 }}\n\n\
         [split]\n\
         protocol = {{ kind = \"stratified-group-k-fold\", folds = 5 }}\n\n\
         [model]\n\
         embedding_size = 16\n\
         dropout = 0.3\n\
         fusion = {{ kind = \"attention\", hidden_size = 16, combine = \"concat\" }}\n\n"
    );
    for modality in modalities {
        let encoder = match modality.kind {
            ModalityKind::Row => "{ kind = \"mlp\", hidden_sizes = [16] }",
            ModalityKind::Series => "{ kind = \"lstm\", hidden_size = 16, bidirectional = true }",
            ModalityKind::Signal { .. } => {
                "{ kind = \"cnn\", pooling = \"stats\", blocks = [\n    { channels = 8, kernel_size = 9, stride = 4 },\n    \
                 { channels = 16, kernel_size = 7, stride = 4 },\n] }"
            }
            ModalityKind::Image { .. } => {
                "{ kind = \"cnn\", pooling = \"stats\", blocks = [\n    { channels = 8, kernel_size = 3, stride = 2 },\n    \
                 { channels = 16, kernel_size = 3, stride = 2 },\n] }"
            }
        };
        text.push_str(&format!(
            "[[model.stream]]\nname = {0:?}\nmodality = {0:?}\nencoder = {encoder}\n\n",
            modality.name
        ));
    }
    text.push_str(
        "[training]\n\
         epochs = 40\n\
         batch_size = 32\n\
         optimizer = { kind = \"adamw\", learning_rate = 3e-3, weight_decay = 0.05 }\n\
         schedule = { kind = \"cosine\", warmup_epochs = 2 }\n\
         gradient_clip_norm = 1.0\n\
         class_weights = \"balanced\"\n\
         early_stopping = { patience_epochs = 12 }\n",
    );
    text
}
