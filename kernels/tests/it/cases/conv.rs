use super::{Case, Path, flat, shaped};
use burn::tensor::Tensor;
use recoup_kernels::conv::{ConvProblem, reference};
use recoup_kernels::{Activation, Conv2dOptions, conv2d_activated};

/// Sizes of one convolution: `x: [B, C, H, W]`, `w: [O, KH, KW]` over `C / groups` channels.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    x: [usize; 4],
    w: [usize; 3],
    o: Conv2dOptions,
}

impl Sizes {
    fn inputs(&self) -> Vec<usize> {
        let [filters, height, width] = self.w;
        vec![
            self.x.iter().product(),
            filters * self.x[1] / self.o.groups * height * width,
            filters,
        ]
    }

    fn x_and_w(&self, inputs: &[Tensor<2>], strided: bool) -> (Tensor<5>, Tensor<5>) {
        let ([b, c, h, width], [filters, kh, kw]) = (self.x, self.w);
        let x = shaped(&inputs[0], [0, b, c, h, width], strided);
        (x, shaped(&inputs[1], [0, filters, c / self.o.groups, kh, kw], strided))
    }

    fn by_reference(&self, x: Tensor<5>, w: Tensor<5>, bias: Option<Tensor<2>>) -> Tensor<5> {
        let bias_shape = bias.as_ref().map(|bias| bias.dims());
        let problem = ConvProblem::new(x.dims(), w.dims(), bias_shape, &self.o);
        reference::conv2d(x, w, bias, &problem.unwrap())
    }

    fn activated(self, bias: bool, strided: bool, activation: Activation) -> Case {
        Case {
            name: format!("{self:?} bias={bias} strided={strided} {activation:?}"),
            inputs: self.inputs(),
            apply: Box::new(move |inputs, _, path| {
                let (x, w) = self.x_and_w(inputs, strided);
                let bias = bias.then(|| inputs[2].clone());
                flat(match path {
                    Path::Public => conv2d_activated(x, w, bias, &self.o, activation),
                    Path::Reference => reference::activate(self.by_reference(x, w, bias), activation),
                })
            }),
            terms: None,
        }
    }

    fn plain(self, bias: bool, strided: bool) -> Case {
        self.activated(bias, strided, Activation::None)
    }
}

pub fn cases() -> Vec<Case> {
    let plain = Conv2dOptions::default();
    let sizes = |x, w, o| Sizes { x, w, o };
    let odd = Conv2dOptions {
        stride: [2, 3],
        padding: [(2, 1), (0, 4)],
        dilation: [3, 2],
        groups: 1,
    };
    let same = plain.same([3, 3]);
    let depthwise = Conv2dOptions {
        stride: [1, 2],
        padding: [(0, 0), (3, 3)],
        groups: 7,
        ..plain
    };
    let dilated = Conv2dOptions {
        dilation: [1, 37],
        ..plain
    };
    let mut cases = vec![
        sizes([3, 2, 5, 7], [4, 3, 3], plain).plain(true, false),
        sizes([3, 2, 5, 7], [4, 3, 3], plain).plain(false, true),
        sizes([1, 1, 1, 1], [1, 1, 1], plain).plain(true, false),
        sizes([5, 3, 7, 11], [5, 3, 2], odd).plain(true, true),
        sizes([2, 6, 5, 5], [9, 3, 3], Conv2dOptions { groups: 3, ..same }).plain(true, false),
        sizes([6, 7, 1, 29], [7, 1, 7], depthwise).plain(true, false),
        sizes([6, 7, 2, 29], [14, 2, 5], depthwise).plain(true, false),
        sizes(
            [2, 5, 1, 67],
            [5, 1, 15],
            Conv2dOptions {
                groups: 5,
                ..plain.same([1, 15])
            },
        )
        .plain(true, false),
        // Long enough for the kernel of one channel per group, with one filter and with two; the filter longer than a window.
        sizes(
            [2, 3, 2, 1031],
            [3, 1, 11],
            Conv2dOptions {
                groups: 3,
                ..plain.causal([1, 11])
            },
        )
        .plain(true, false),
        sizes(
            [1, 2, 1, 541],
            [4, 1, 4],
            Conv2dOptions {
                groups: 2,
                padding: [(0, 0), (5, 0)],
                ..plain
            },
        )
        .plain(true, false),
        // Several partial sums, several tiles of positions.
        sizes([9, 2, 1, 1021], [3, 1, 64], plain.same([1, 64])).plain(true, false),
        // Taps that never touch the input, and a gradient whose padding is negative.
        sizes(
            [2, 2, 1, 3],
            [2, 1, 5],
            Conv2dOptions {
                padding: [(0, 0), (9, 9)],
                ..plain
            },
        )
        .plain(true, false),
        // Several tiles of filters and more taps than one tile of weights; channels staged in turns.
        sizes([2, 23, 1, 19], [37, 1, 3], plain.causal([1, 3])).plain(true, false),
        sizes([1, 16, 1, 300], [18, 1, 5], plain.valid()).plain(false, false),
        // Steps longer than the filter leave inputs that nothing saw.
        sizes(
            [2, 3, 9, 31],
            [6, 1, 2],
            Conv2dOptions {
                stride: [3, 4],
                groups: 3,
                ..plain
            },
        )
        .plain(true, false),
        sizes([2, 2, 1, 131], [4, 1, 3], dilated.causal([1, 3])).plain(true, false),
        sizes([2, 1, 33, 17], [7, 3, 3], same).plain(true, false),
        sizes(
            [2, 3, 1, 70],
            [6, 1, 1],
            Conv2dOptions {
                stride: [1, 2],
                ..plain
            },
        )
        .plain(true, false),
        sizes([3, 2, 5, 37], [5, 3, 3], same).plain(true, false),
        sizes(
            [2, 4, 1, 530],
            [4, 1, 7],
            Conv2dOptions {
                groups: 4,
                ..plain.same([1, 7])
            },
        )
        .plain(true, false),
        sizes([1, 1, 1, 3], [19, 1, 3], plain).plain(true, false),
    ];
    for activation in [Activation::Relu, Activation::Gelu, Activation::Silu, Activation::Tanh] {
        cases.push(sizes([2, 3, 1, 41], [5, 1, 3], plain).activated(true, false, activation));
    }
    cases
}
