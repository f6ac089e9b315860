//! The product of a linear layer.

use crate::{Bench, noise};
use recoup_kernels::matmul;
use serde_json::json;

pub fn cases() -> Vec<Bench> {
    let sizes = [
        [1, 64, 64, 64],
        [1, 1024, 256, 256],
        [1, 8192, 32, 128],
        [25, 64, 32, 32],
    ];
    sizes
        .into_iter()
        .map(|[replicas, rows, inner, cols]| Bench {
            op: "matmul",
            name: format!("R{replicas} {rows}x{inner}x{cols}"),
            peer: json!({ "replicas": replicas, "rows": rows, "inner": inner, "cols": cols }),
            ours: Box::new(move |device| {
                let (x, w) = (
                    noise([replicas, rows, inner], device),
                    noise([replicas, inner, cols], device),
                );
                Box::new(move || drop(matmul(x.clone(), w.clone())))
            }),
            burn: Some(Box::new(move |device| {
                let (x, w) = (
                    noise([replicas, rows, inner], device),
                    noise([replicas, inner, cols], device),
                );
                Box::new(move || drop(x.clone().matmul(w.clone())))
            })),
        })
        .collect()
}
