use super::{Case, Path, flat, shaped};
use recoup_kernels::matmul;

fn matmul_case(rows: usize, inner: usize, cols: usize, strided: bool) -> Case {
    Case {
        name: format!("matmul {rows}x{inner}x{cols} strided={strided}"),
        inputs: vec![rows * inner, inner * cols],
        apply: Box::new(move |inputs, _, path| {
            let x = shaped(&inputs[0], [0, rows, inner], strided);
            let w = shaped(&inputs[1], [0, inner, cols], strided);
            flat(match path {
                Path::Public => matmul(x, w),
                Path::Reference => recoup_kernels::matmul::reference::matmul(x, w),
            })
        }),
        terms: None,
    }
}

pub fn cases() -> Vec<Case> {
    vec![
        matmul_case(1, 1, 1, false),
        matmul_case(7, 13, 5, false),
        matmul_case(7, 13, 5, true),
        matmul_case(131, 64, 37, false),
        matmul_case(3, 4099, 2, false),
        matmul_case(4099, 3, 2, false),
    ]
}
