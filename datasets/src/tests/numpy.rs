//! What the NumPy readers hold up: every type and order gives the same matrix, what is written is
//! read, promises reserve nothing, and no bytes panic.

use crate::npz::Writer;
use crate::{Csc, Error, Format, Kind, Labelled, Matrix, Place, ReadOptions, Source};
use crate::{read_labelled, write_labelled};
use ndarray::{Array2, ShapeBuilder};
use proptest::prelude::*;

fn read(bytes: impl AsRef<[u8]>) -> Result<Labelled, Error> {
    let options = ReadOptions {
        threads: 2,
        ..ReadOptions::default()
    };
    read_labelled(&Source::memory("a.npy", bytes.as_ref()), &options)
}

fn npy(descr: &str, fortran: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values);
    bytes
}

fn expected() -> Matrix {
    Matrix::from_columns(2, 3, vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0])
}

#[test]
fn every_type_and_order_gives_the_same_matrix() {
    let by_row = [1u8, 2, 3, 4, 5, 6];
    let wide = |to: &dyn Fn(u8) -> Vec<u8>| by_row.iter().flat_map(|&x| to(x)).collect::<Vec<u8>>();
    let cases = [
        ("'|u1'", wide(&|x| vec![x])),
        ("'|i1'", wide(&|x| vec![x])),
        ("'<i2'", wide(&|x| i16::from(x).to_le_bytes().into())),
        ("'>i4'", wide(&|x| i32::from(x).to_be_bytes().into())),
        ("'<i8'", wide(&|x| i64::from(x).to_le_bytes().into())),
        ("'<f4'", wide(&|x| f32::from(x).to_le_bytes().into())),
        ("'<f8'", wide(&|x| f64::from(x).to_le_bytes().into())),
        ("'>f8'", wide(&|x| f64::from(x).to_be_bytes().into())),
    ];
    for (descr, values) in cases {
        assert_eq!(
            read(npy(descr, "False", "(2, 3)", &values))
                .unwrap()
                .features,
            expected(),
            "{descr}"
        );
    }
    assert_eq!(
        read(npy("'|u1'", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6]))
            .unwrap()
            .features,
        expected()
    );
    let bools = read(npy("'|b1'", "False", "(3,)", &[1, 0, 1])).unwrap();
    assert_eq!(
        bools.features,
        Matrix::from_columns(3, 1, vec![1.0, 0.0, 1.0])
    );
    let negative = read(npy("'|i1'", "False", "(1, 1)", &[0xff])).unwrap();
    assert_eq!(negative.features, Matrix::from_columns(1, 1, vec![-1.0]));
}

#[test]
fn errors_say_what_and_where() {
    let kind = |bytes: Vec<u8>| read(bytes).unwrap_err().kind;
    let huge = "(1152921504606846976, 3)";
    assert!(matches!(
        kind(npy("'<f8'", "False", huge, &[0; 80])),
        Kind::TooLarge { .. }
    ));
    let large = "(1152921504606846, 3)";
    for fortran in ["True", "False"] {
        assert!(matches!(
            kind(npy("'|u1'", fortran, large, &[0; 80])),
            Kind::Truncated { .. }
        ));
        let wide = "(3, 1152921504606846)";
        assert!(matches!(
            kind(npy("'|u1'", fortran, wide, &[0; 80])),
            Kind::Truncated { .. }
        ));
    }
    assert!(matches!(
        kind(npy("'<c16'", "False", "(1, 1)", &[0; 16])),
        Kind::Unsupported { .. }
    ));
    assert!(matches!(
        kind(npy("[('a', '<f8')]", "False", "(1,)", &[0; 8])),
        Kind::Unsupported { .. }
    ));
    assert!(matches!(
        kind(npy("'<f8'", "False", "(0, 3)", &[])),
        Kind::Empty { what: "rows" }
    ));
    assert!(matches!(
        kind(npy("'<f8'", "False", "(1, 1, 1)", &[0; 8])),
        Kind::Unsupported { .. }
    ));
    assert!(matches!(
        kind(npy("'|S3'", "False", "(1, 1)", b"abc")),
        Kind::Unexpected { .. }
    ));
    let nan = [1.0, 2.0, 3.0, f64::NAN].map(f64::to_le_bytes).concat();
    for (fortran, row, column) in [("False", 2, 2), ("True", 2, 2)] {
        let error = read(npy("'<f8'", fortran, "(2, 2)", &nan)).unwrap_err();
        assert_eq!(error.place, Place::Entry { row, column });
        assert!(
            error
                .to_string()
                .starts_with("a.npy, entry in row 2, column 2: expected a finite")
        );
    }
}

fn sparse() -> Labelled {
    let csc = Csc::new_csc(
        (3, 4),
        vec![0, 1, 1, 3, 4],
        vec![2, 0, 1, 1],
        vec![1.5, -2.0, 3.0, 4.0],
    );
    Labelled {
        features: Matrix::Sparse(csc),
        target: Some(vec![1.0, 2.0, 3.0]),
        names: None,
    }
}

fn sparse_by_hand(format: &str, starts: &[i64], indices: &[i32], values: &[f64]) -> Vec<u8> {
    let mut npz = Writer::new(Vec::new());
    npz.text("format", format).unwrap();
    npz.array("shape", &[2], &[3i64, 4]).unwrap();
    npz.array("indptr", &[starts.len()], starts).unwrap();
    npz.array("indices", &[indices.len()], indices).unwrap();
    npz.array("data", &[values.len()], values).unwrap();
    npz.finish().unwrap()
}

#[test]
fn sparse_matrices_by_row_and_column_are_the_same() {
    let by_row = sparse_by_hand("csr", &[0, 1, 3, 4], &[2, 3, 2, 0], &[-2.0, 4.0, 3.0, 1.5]);
    assert_eq!(read(by_row).unwrap().features, sparse().features);
    let by_column = sparse_by_hand(
        "csc",
        &[0, 1, 1, 3, 4],
        &[2, 1, 0, 1],
        &[1.5, 3.0, -2.0, 4.0],
    );
    assert_eq!(read(by_column).unwrap().features, sparse().features);
}

#[test]
fn a_sparse_matrix_that_contradicts_itself_is_refused() {
    let kind = |bytes| read(bytes).unwrap_err().kind;
    let ones = [1.0; 4];
    let twice = sparse_by_hand("csc", &[0, 2, 2, 3, 4], &[1, 1, 0, 0], &ones);
    assert!(matches!(
        kind(twice),
        Kind::Duplicate {
            row: 2,
            at_column: 1
        }
    ));
    let twice = sparse_by_hand("csr", &[0, 2, 3, 4], &[1, 1, 0, 0], &ones);
    assert!(matches!(
        kind(twice),
        Kind::Duplicate {
            row: 1,
            at_column: 2
        }
    ));
    let beyond = sparse_by_hand("csr", &[0, 2, 3, 4], &[1, 4, 0, 0], &ones);
    assert!(matches!(kind(beyond), Kind::TooLarge { limit: 3, .. }));
    let negative = sparse_by_hand("csr", &[0, 2, 3, 4], &[-1, 1, 0, 0], &ones);
    assert!(matches!(kind(negative), Kind::Unexpected { .. }));
    let short = sparse_by_hand("csr", &[0, 2, 4], &[0, 1, 0, 1], &ones);
    assert!(matches!(
        kind(short),
        Kind::Mismatch {
            expected: 4,
            found: 3,
            ..
        }
    ));
    let down = sparse_by_hand("csr", &[0, 2, 1, 4], &[0, 1, 0, 1], &ones);
    assert!(matches!(kind(down), Kind::Damaged { .. }));
    let fewer = sparse_by_hand("csr", &[0, 2, 3, 5], &[0, 1, 0, 1], &ones);
    assert!(matches!(
        kind(fewer),
        Kind::Mismatch {
            expected: 5,
            found: 4,
            ..
        }
    ));
    let other = sparse_by_hand("coo", &[0, 2, 3, 4], &[0, 1, 0, 1], &ones);
    assert!(matches!(kind(other), Kind::Unsupported { .. }));
}

#[test]
fn a_target_of_the_wrong_length_is_refused() {
    let data = Labelled {
        target: Some(vec![1.0]),
        ..sparse()
    };
    let mut bytes = Vec::new();
    write_labelled(&data, Format::Npz, &mut bytes).unwrap();
    assert!(matches!(
        read(&bytes).unwrap_err().kind,
        Kind::Mismatch {
            expected: 3,
            found: 1,
            ..
        }
    ));
}

fn written(data: &Labelled, format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_labelled(data, format, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_written_is_read() {
    let array = Array2::from_shape_fn((5, 7).f(), |(i, j)| i as f64 / (j + 1) as f64);
    let dense = Labelled {
        features: Matrix::Dense(array),
        target: Some(vec![0.5; 5]),
        names: None,
    };
    for data in [dense.clone(), sparse()] {
        assert_eq!(read(written(&data, Format::Npz)).unwrap(), data);
    }
    let features = read(written(&dense, Format::Npy)).unwrap().features;
    assert_eq!(features, dense.features);
}

proptest! {
    #[test]
    fn no_mutation_panics(cut in 0usize..2000, at in 0usize..2000, byte: u8, which in 0usize..4) {
        let dense = Labelled { features: expected(), target: None, names: None };
        let mut bytes = match which {
            0 => written(&sparse(), Format::Npz),
            1 => written(&dense, Format::Npz),
            2 => written(&dense, Format::Npy),
            _ => sparse_by_hand("csr", &[0, 1, 3, 4], &[2, 3, 2, 0], &[1.0; 4]),
        };
        let at = at % bytes.len();
        bytes[at] = byte;
        if cut % 3 == 0 {
            bytes.truncate(bytes.len() - cut % bytes.len());
        }
        let _ = read(&bytes);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = read([b"\x93NUMPY\x01\x00", &bytes[..]].concat());
        let _ = read([b"PK\x03\x04", &bytes[..]].concat());
    }
}
