//! The cell on vectors of the widest kind that the machine has. `σ` and `tanh` are made of IEEE additions, products and
//! divisions alone, so that their bits do not depend on a system library. Polynomials of Cephes (Moshier).

use pulp::Simd;

/// ln 2 in two parts; the first has few bits, so that its multiples are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// 1.5 x 2²³: adding it rounds to an integer, which then sits in the low bits of the sum.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut value = s.splat_f32s(coefficients[0]);
    for coefficient in &coefficients[1..] {
        value = s.mul_add_e_f32s(value, x, s.splat_f32s(*coefficient));
    }
    value
}

/// eˣ within 2 units in the last place, for |x| clamped to 87; NaN stays NaN.
#[inline(always)]
fn exp<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let (low, high) = (s.splat_f32s(-87.0), s.splat_f32s(87.0));
    let x = s.select_f32s(s.less_than_f32s(x, low), low, x);
    let x = s.select_f32s(s.less_than_f32s(high, x), high, x);
    let shifted = s.mul_add_e_f32s(x, s.splat_f32s(std::f32::consts::LOG2_E), s.splat_f32s(ROUND));
    let n = s.sub_f32s(shifted, s.splat_f32s(ROUND));
    let r = s.mul_add_e_f32s(n, s.splat_f32s(-LN2_HIGH), x);
    let r = s.mul_add_e_f32s(n, s.splat_f32s(-LN2_LOW), r);
    let p = polynomial(
        s,
        r,
        [
            1.987_569_1e-4,
            1.398_2e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            1.666_666_5e-1,
            0.5,
        ],
    );
    let fraction = s.add_f32s(s.mul_add_e_f32s(p, s.mul_f32s(r, r), r), s.splat_f32s(1.0));
    let exponent = s.add_u32s(s.transmute_u32s_f32s(shifted), s.splat_u32s(127));
    let power = s.wrapping_dyn_shl_u32s(exponent, s.splat_u32s(23));
    s.mul_f32s(fraction, s.transmute_f32s_u32s(power))
}

/// The logistic function.
#[inline(always)]
fn sigmoid<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let one = s.splat_f32s(1.0);
    s.div_f32s(one, s.add_f32s(one, exp(s, s.neg_f32s(x))))
}

/// The hyperbolic tangent.
#[inline(always)]
fn tanh<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    let one = s.splat_f32s(1.0);
    let shifted = s.add_f32s(exp(s, s.add_f32s(x, x)), one);
    let far = s.sub_f32s(one, s.div_f32s(s.splat_f32s(2.0), shifted));
    let z = s.mul_f32s(x, x);
    let p = polynomial(
        s,
        z,
        [
            -5.704_988_7e-3,
            2.063_909e-2,
            -5.373_971_6e-2,
            0.133_314_42,
            -0.333_332_8,
        ],
    );
    let near = s.mul_add_e_f32s(s.mul_f32s(p, z), x, x);
    s.select_f32s(s.less_than_f32s(s.abs_f32s(x), s.splat_f32s(0.625)), near, far)
}

/// Vector `at` of a row; the last one filled up with zeros.
#[inline(always)]
fn load<S: Simd>(s: S, row: &[f32], at: usize) -> S::f32s {
    let (vectors, rest) = S::as_simd_f32s(row);
    match vectors.get(at) {
        Some(vector) => *vector,
        None => s.partial_load_f32s(rest),
    }
}

#[inline(always)]
fn store<S: Simd>(s: S, row: &mut [f32], at: usize, value: S::f32s) {
    let (vectors, rest) = S::as_mut_simd_f32s(row);
    match vectors.get_mut(at) {
        Some(vector) => *vector = value,
        None => s.partial_store_f32s(rest, value),
    }
}

/// The parts of a row, one per gate.
#[inline(always)]
fn split<const N: usize>(row: &[f32], units: usize) -> [&[f32]; N] {
    std::array::from_fn(|part| &row[part * units..(part + 1) * units])
}

#[inline(always)]
fn split_mut<const N: usize>(row: &mut [f32], units: usize) -> [&mut [f32]; N] {
    let mut parts = row.chunks_exact_mut(units);
    std::array::from_fn(|_| parts.next().expect("a row holds its gates"))
}

/// The sum of one gate.
#[inline(always)]
fn gate<S: Simd>(s: S, sums: &[f32], projected: &[f32], bias: &[f32], at: usize) -> S::f32s {
    s.add_f32s(s.add_f32s(load(s, sums, at), load(s, projected, at)), load(s, bias, at))
}

/// The derivative of σ, from its value.
#[inline(always)]
fn rise<S: Simd>(s: S, y: S::f32s) -> S::f32s {
    s.mul_f32s(y, s.sub_f32s(s.splat_f32s(1.0), y))
}

/// The derivative of tanh, from its value.
#[inline(always)]
fn slope<S: Simd>(s: S, y: S::f32s) -> S::f32s {
    s.sub_f32s(s.splat_f32s(1.0), s.mul_f32s(y, y))
}

/// One cell update, from the recurrent sums, the projected input and the bias of the gates. `saved` gets the four
/// activated gates and the cell state.
#[inline(always)]
pub(super) fn update<S: Simd>(
    s: S,
    [sums, projected, bias]: [&[f32]; 3],
    cell: &mut [f32],
    hidden: &mut [f32],
    saved: Option<&mut [f32]>,
) {
    let units = cell.len();
    let (sums, projected, bias): ([_; 4], [_; 4], [_; 4]) =
        (split(sums, units), split(projected, units), split(bias, units));
    let mut saved: Option<[_; 5]> = saved.map(|row| split_mut(row, units));
    for at in 0..units.div_ceil(S::F32_LANES) {
        let input = sigmoid(s, gate(s, sums[0], projected[0], bias[0], at));
        let forget = sigmoid(s, gate(s, sums[1], projected[1], bias[1], at));
        let candidate = tanh(s, gate(s, sums[2], projected[2], bias[2], at));
        let output = sigmoid(s, gate(s, sums[3], projected[3], bias[3], at));
        let after = s.mul_add_e_f32s(forget, load(s, cell, at), s.mul_f32s(input, candidate));
        store(s, cell, at, after);
        store(s, hidden, at, s.mul_f32s(output, tanh(s, after)));
        if let Some([to_input, to_forget, to_candidate, to_output, to_cell]) = &mut saved {
            store(s, to_input, at, input);
            store(s, to_forget, at, forget);
            store(s, to_candidate, at, candidate);
            store(s, to_output, at, output);
            store(s, to_cell, at, after);
        }
    }
}

/// Gradients of the gate sums of one sample at one step. The gradient of the hidden state is the sum of `d_hidden` (from
/// later steps) and `grad` (from this one); `d_cell` leaves as the gradient of the previous cell state.
#[inline(always)]
pub(super) fn update_backward<S: Simd>(
    s: S,
    d_gates: &mut [f32],
    [d_hidden, grad]: [&[f32]; 2],
    d_cell: &mut [f32],
    [saved, cell_before]: [&[f32]; 2],
) {
    let units = d_cell.len();
    let saved: [_; 5] = split(saved, units);
    let [d_input, d_forget, d_candidate, d_output] = split_mut(d_gates, units);
    for at in 0..units.div_ceil(S::F32_LANES) {
        let (input, forget) = (load(s, saved[0], at), load(s, saved[1], at));
        let (candidate, output) = (load(s, saved[2], at), load(s, saved[3], at));
        let d_hidden = s.add_f32s(load(s, d_hidden, at), load(s, grad, at));
        let shown = tanh(s, load(s, saved[4], at));
        let through = s.mul_f32s(s.mul_f32s(d_hidden, output), slope(s, shown));
        let d = s.add_f32s(load(s, d_cell, at), through);
        store(s, d_input, at, s.mul_f32s(s.mul_f32s(d, candidate), rise(s, input)));
        store(
            s,
            d_forget,
            at,
            s.mul_f32s(s.mul_f32s(d, load(s, cell_before, at)), rise(s, forget)),
        );
        store(
            s,
            d_candidate,
            at,
            s.mul_f32s(s.mul_f32s(d, input), slope(s, candidate)),
        );
        store(
            s,
            d_output,
            at,
            s.mul_f32s(s.mul_f32s(d_hidden, shown), rise(s, output)),
        );
        store(s, d_cell, at, s.mul_f32s(d, forget));
    }
}

#[cfg(test)]
mod tests {
    use crate::simd::dispatch;
    use pulp::{Simd, WithSimd};

    /// `σ` and `tanh` of a few values at once.
    struct Both<'a>(&'a [f32]);

    impl WithSimd for Both<'_> {
        type Output = (Vec<f32>, Vec<f32>);

        #[inline(always)]
        fn with_simd<S: Simd>(self, s: S) -> Self::Output {
            let (mut sigmoid, mut tanh) = (vec![0.0; self.0.len()], vec![0.0; self.0.len()]);
            for at in 0..self.0.len().div_ceil(S::F32_LANES) {
                let x = super::load(s, self.0, at);
                super::store(s, &mut sigmoid, at, super::sigmoid(s, x));
                super::store(s, &mut tanh, at, super::tanh(s, x));
            }
            (sigmoid, tanh)
        }
    }

    /// Both functions against f64 over the range where they are not constant.
    #[test]
    fn close_to_f64() {
        let values: Vec<f32> = (-40_000..=40_000).map(|i| i as f32 * 1e-3).collect();
        let (sigmoids, tanhs) = dispatch(Both(&values));
        for ((&x, sigmoid), tanh) in values.iter().zip(sigmoids).zip(tanhs) {
            let expected = 1.0 / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(sigmoid) - expected).abs() / expected;
            assert!(error < 4e-7, "sigmoid({x}): relative error {error:e}");
            let expected = f64::from(x).tanh();
            let error = (f64::from(tanh) - expected).abs() / expected.abs().max(1e-30);
            assert!(error < 4e-7, "tanh({x}): relative error {error:e}");
        }
        let (sigmoids, tanhs) = dispatch(Both(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]));
        assert!(sigmoids[0].is_nan() && tanhs[0].is_nan());
        assert_eq!(tanhs[1], 1.0);
        assert!(sigmoids[2] < 1e-37);
    }
}
