//! Everything that PyTorch needs to train the same replicas on the same batches from the same first weights.

use std::path::Path;

use recoup::models::InputShape;
use recoup::training::step::floats;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::work::Work;

/// A named tensor of 4-byte values.
struct Named(String, Dtype, Vec<usize>, Vec<u8>);

/// Writes `work.safetensors` and `work.json`.
///
/// By fold `<replica>.<stream>.rows [N, T, C]`, scaled by the replica's scalers, `<replica>.<stream>.present [N]`,
/// `<replica>.orders [epochs, windows]`, `<replica>.valid` and `<replica>.weights [P]`; for all `<stream>.lengths [N]`
/// and `classes [N]`; N counts the cohort's windows.
pub fn write(work: &Work, folder: &Path) -> anyhow::Result<Value> {
    std::fs::create_dir_all(folder)?;
    let windows = work.data.windows();
    let everything: Vec<Option<u32>> = (0..windows.len() as u32).map(Some).collect();
    let mut tensors = Vec::new();
    let classes: Vec<u32> = windows.iter().map(|window| window.class).collect();
    tensors.push(integers("classes", vec![classes.len()], &classes));
    let streams = || work.model_config.stream.iter().zip(&work.sources);
    for (stream, source) in streams() {
        let lengths: Vec<u32> = windows
            .iter()
            .map(|window| window.rows[source.modality].count)
            .collect();
        tensors.push(integers(
            &format!("{}.lengths", stream.name),
            vec![lengths.len()],
            &lengths,
        ));
    }
    for replica in &work.replicas {
        let name = |what: &str| format!("{}.{what}", replica.name);
        let inputs = work
            .data
            .inputs(std::slice::from_ref(&everything), &work.data.scalers(&[replica]));
        for ((stream, _), input) in streams().zip(inputs) {
            let [_, count, steps, channels] = input.rows.dims();
            let rows = floats(input.rows);
            tensors.push(reals(
                &name(&format!("{}.rows", stream.name)),
                vec![count, steps, channels],
                &rows,
            ));
            tensors.push(reals(
                &name(&format!("{}.present", stream.name)),
                vec![count],
                &floats(input.present),
            ));
        }
        let orders: Vec<Vec<u32>> = (0..work.training.epochs)
            .map(|epoch| replica.epoch_order(epoch, work.training.sampling()))
            .collect();
        let shape = vec![orders.len(), orders.first().map_or(0, Vec::len)];
        tensors.push(integers(&name("orders"), shape, &orders.concat()));
        tensors.push(integers(&name("valid"), vec![replica.valid.len()], &replica.valid));
        let weights = work.model.layout().init_params(&[replica.seed]);
        tensors.push(reals(&name("weights"), vec![weights.len()], &weights));
    }
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|Named(name, dtype, shape, bytes)| Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?)))
        .collect::<Result<_, safetensors::SafeTensorError>>();
    safetensors::serialize_to_file(views?, None, &folder.join("work.safetensors"))?;
    let description = describe(work);
    std::fs::write(folder.join("work.json"), serde_json::to_vec_pretty(&description)?)?;
    Ok(json!({ "replicas": work.replicas.len(), "windows": windows.len() }))
}

fn describe(work: &Work) -> Value {
    let shapes: Vec<InputShape> = work.sources.iter().map(|source| source.shape).collect();
    let params: Vec<Value> = work
        .model
        .layout()
        .params()
        .iter()
        .map(|spec| json!({ "path": spec.path, "shape": spec.shape }))
        .collect();
    let training = &work.training;
    let replicas: Vec<Value> = work
        .replicas
        .iter()
        .map(|replica| {
            let steps_per_epoch = training.steps_per_epoch(replica.epoch_len(training.sampling()));
            let steps = (steps_per_epoch * training.epochs) as u64;
            let factor = |step| training.schedule.factor(step, steps_per_epoch, training.epochs);
            json!({
                "name": replica.name,
                "hyper": replica.hyper,
                "schedule_factors": (0..steps).map(factor).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "model": work.model_config,
        "inputs": shapes,
        "num_classes": work.num_classes,
        "training": training,
        "params": params,
        "replicas": replicas,
    })
}

fn reals(name: &str, shape: Vec<usize>, values: &[f32]) -> Named {
    Named(name.into(), Dtype::F32, shape, bytemuck::cast_slice(values).to_vec())
}

fn integers(name: &str, shape: Vec<usize>, values: &[u32]) -> Named {
    // PyTorch has no unsigned index.
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Named(name.into(), Dtype::I32, shape, bytemuck::cast_slice(&values).to_vec())
}
