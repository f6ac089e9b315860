//! Slopes of trajectories with drop-out: `score = b0 + b1 week + u_patient + e`, a linear mixed model with a random
//! intercept, by restricted maximum likelihood.

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixedSlope {
    /// `b0`.
    pub intercept: f64,
    /// `b1`, per week.
    pub slope: f64,
    /// Standard error of `b1`.
    pub slope_error: f64,
    /// Variance of `u`.
    pub patient_variance: f64,
    /// Variance of `e`.
    pub residual_variance: f64,
}

/// Sums of one patient that the likelihood needs.
#[derive(Default)]
struct Sums {
    num: f64,
    x: f64,
    y: f64,
}

/// Fits by the profiled likelihood: for a ratio `r` of patient to residual variance, `V = I + r 11^T` per patient has
/// `V^-1 = I - r / (1 + r n) 11^T`, so fixed effects and residual variance follow in closed form, and
/// `-2 log L(r) = (N - 2) log(RSS(r)) + sum log(1 + r n) + log |X^T V^-1 X|` is minimised in one dimension.
///
/// `observations` are patient (any number), week and score; rows with a missing score are left out, which is right if
/// they are missing at random. `None` with fewer than 2 patients or 3 observations, without two different weeks, or
/// where the line leaves no residual.
pub fn mixed_slope(observations: &[(usize, f64, f64)]) -> Option<MixedSlope> {
    let seen: Vec<_> = observations
        .iter()
        .copied()
        .filter(|(_, x, y)| x.is_finite() && y.is_finite())
        .collect();
    // Centred, so that no digits are lost to an offset.
    let num = seen.len() as f64;
    let (mean_x, mean_y) = (
        seen.iter().map(|o| o.1).sum::<f64>() / num,
        seen.iter().map(|o| o.2).sum::<f64>() / num,
    );
    let mut patients = std::collections::BTreeMap::<usize, Sums>::new();
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (patient, x, y) in seen {
        let (x, y) = (x - mean_x, y - mean_y);
        let sums = patients.entry(patient).or_default();
        sums.num += 1.0;
        sums.x += x;
        sums.y += y;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    if patients.len() < 2 || num < 3.0 || xx <= 0.0 {
        return None;
    }
    // At a ratio: the determinant of X^T V^-1 X, and [intercept, slope, RSS, entry of the inverse for the slope,
    // criterion].
    let at = |ratio: f64| {
        let (mut s1, mut sx, mut sy, mut sxx, mut sxy, mut syy, mut log) = (num, 0.0, 0.0, xx, xy, yy, 0.0);
        for sums in patients.values() {
            let weight = ratio / (1.0 + ratio * sums.num);
            s1 -= weight * sums.num * sums.num;
            sx += sums.x * (1.0 - weight * sums.num);
            sy += sums.y * (1.0 - weight * sums.num);
            sxx -= weight * sums.x * sums.x;
            sxy -= weight * sums.x * sums.y;
            syy -= weight * sums.y * sums.y;
            log += (ratio * sums.num).ln_1p();
        }
        let determinant = s1 * sxx - sx * sx;
        let slope = (s1 * sxy - sx * sy) / determinant;
        let intercept = (sy - slope * sx) / s1;
        let rss = syy - intercept * sy - slope * sxy;
        [
            intercept,
            slope,
            rss,
            s1 / determinant,
            (num - 2.0) * rss.ln() + log + determinant.ln(),
        ]
    };
    let criterion = |log_ratio: f64| at(log_ratio.exp())[4];
    // The criterion may have more than one minimum: a grid first, then golden sections around its best.
    let grid: Vec<f64> = (0..=80).map(|step| -20.0 + 0.5 * f64::from(step)).collect();
    let best = grid
        .iter()
        .copied()
        .min_by(|a, b| criterion(*a).total_cmp(&criterion(*b)))?;
    let (mut low, mut high) = (best - 0.5, best + 0.5);
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    while high - low > 1e-9 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if criterion(a) <= criterion(b) {
            high = b
        } else {
            low = a
        }
    }
    let inner = ((low + high) / 2.0).exp();
    // No variance between patients is at the edge of the range.
    let ratio = if at(0.0)[4] <= at(inner)[4] { 0.0 } else { inner };
    let [intercept, slope, rss, inverse, _] = at(ratio);
    let residual_variance = rss / (num - 2.0);
    let fitted = MixedSlope {
        intercept: mean_y + intercept - slope * mean_x,
        slope,
        slope_error: (residual_variance * inverse).sqrt(),
        patient_variance: ratio * residual_variance,
        residual_variance,
    };
    (residual_variance > 0.0 && fitted.slope_error.is_finite()).then_some(fitted)
}
