use super::{Case, Path, flat, shaped};
use recoup_kernels::{Conv2dOptions, conv2d};

/// `x: [B, C, H, W]`, `w: [O, KH, KW]` over `C / groups` channels.
fn conv_case(x: [usize; 4], w: [usize; 3], bias: bool, strided: bool, o: Conv2dOptions) -> Case {
    let ([b, c, h, width], [filters, kh, kw]) = (x, w);
    let per_group = c / o.groups;
    Case {
        name: format!("conv2d {x:?} {w:?} bias={bias} strided={strided} {o:?}"),
        inputs: vec![b * c * h * width, filters * per_group * kh * kw, filters],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, b, c, h, width], strided);
            let w = shaped(&inputs[1], [0, filters, per_group, kh, kw], strided);
            let bias = bias.then(|| inputs[2].clone());
            flat(match path {
                Path::Public => conv2d(x, w, bias, &o),
                Path::Reference => {
                    let shape = bias.as_ref().map(|bias| bias.dims());
                    let geometry = recoup_kernels::conv::Geometry::new("conv2d", x.dims(), w.dims(), shape, &o);
                    recoup_kernels::conv::reference::conv2d(x, w, bias, &geometry.unwrap())
                }
            })
        }),
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let plain = Conv2dOptions::default();
    cases.push(conv_case([3, 2, 5, 7], [4, 3, 3], true, false, plain));
    cases.push(conv_case([3, 2, 5, 7], [4, 3, 3], false, true, plain));
    cases.push(conv_case([1, 1, 1, 1], [1, 1, 1], true, false, plain));
    let odd = Conv2dOptions { stride: [2, 3], padding: [(2, 1), (0, 4)], dilation: [3, 2], groups: 1 };
    cases.push(conv_case([5, 3, 7, 11], [5, 3, 2], true, true, odd));
    let grouped = Conv2dOptions { groups: 3, padding: [(1, 1), (1, 1)], ..plain };
    cases.push(conv_case([2, 6, 5, 5], [9, 3, 3], true, false, grouped));
    let depthwise = Conv2dOptions { stride: [1, 2], padding: [(0, 0), (3, 3)], groups: 7, ..plain };
    cases.push(conv_case([6, 7, 1, 29], [7, 1, 7], true, false, depthwise));
    cases.push(conv_case([6, 7, 2, 29], [14, 2, 5], true, false, depthwise));
    // Long enough for several tiles and several partial sums.
    let long = Conv2dOptions { padding: [(0, 0), (31, 32)], ..plain };
    cases.push(conv_case([9, 2, 1, 1021], [3, 1, 64], true, false, long));
    // A filter that never touches the input with some taps.
    let far = Conv2dOptions { padding: [(0, 0), (9, 9)], ..plain };
    cases.push(conv_case([2, 2, 1, 3], [2, 1, 5], true, false, far));
    cases
}
