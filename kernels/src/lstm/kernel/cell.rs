//! The cell: gates, states and their gradients.

use cubecl::prelude::*;

/// eˣ within 2 units in the last place, for x clamped to ±87 (Cephes); the drivers' own may err by more than the rest of a
/// step.
#[cube]
fn exp(x: f32) -> f32 {
    let x = select(x < -87.0f32, -87.0f32, x);
    let x = select(x > 87.0f32, 87.0f32, x);
    let n = fma(x, std::f32::consts::LOG2_E, 0.5f32).floor();
    let r = fma(n, 2.121_944_4e-4f32, fma(n, -0.693_359_4f32, x));
    let p = fma(1.987_569_1e-4f32, r, 1.398_2e-3f32);
    let p = fma(p, r, 8.333_452e-3f32);
    let p = fma(p, r, 4.166_579_6e-2f32);
    let p = fma(p, r, 1.666_666_5e-1f32);
    let p = fma(p, r, 0.5f32);
    let fraction = fma(p, r * r, r) + 1.0f32;
    let power = u32::cast_from(n + 127.0f32) << 23u32;
    fraction * f32::reinterpret(power)
}

/// The logistic function.
#[cube]
pub fn sigmoid(x: f32) -> f32 {
    1.0f32 / (1.0f32 + exp(-x))
}

/// The hyperbolic tangent; near zero by a polynomial (Cephes), for its relative error, and because drivers differ in
/// their own.
#[cube]
pub fn tanh(x: f32) -> f32 {
    let far = 1.0f32 - 2.0f32 / (exp(2.0f32 * x) + 1.0f32);
    let z = x * x;
    let p = fma(-0.005_704_988_7f32, z, 0.020_639_09f32);
    let p = fma(p, z, -0.053_739_717f32);
    let p = fma(p, z, 0.133_314_42f32);
    let p = fma(p, z, -0.333_332_8f32);
    let near = fma(p * z, x, x);
    select(x.abs() < 0.625f32, near, far)
}

/// Gradients of the four gate sums and of the previous cell state: `[input, forget, candidate, output, cell]` into
/// `d`, from the activated gates and the two cell states in `saved` (`[input, forget, candidate, output, cell,
/// cell before]`).
#[cube]
pub fn cell_backward(d: &mut Array<f32>, saved: &Array<f32>, d_hidden: f32, d_cell: f32) {
    let (input, forget, candidate, output) = (saved[0], saved[1], saved[2], saved[3]);
    let shown = tanh(saved[4]);
    let d_cell = d_cell + d_hidden * output * (1.0f32 - shown * shown);
    d[0] = d_cell * candidate * input * (1.0f32 - input);
    d[1] = d_cell * saved[5] * forget * (1.0f32 - forget);
    d[2] = d_cell * input * (1.0f32 - candidate * candidate);
    d[3] = d_hidden * shown * output * (1.0f32 - output);
    d[4] = d_cell * forget;
}
