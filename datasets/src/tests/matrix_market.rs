//! What the Matrix Market reader holds up: every kind of matrix, promises that are kept or
//! refused, errors with line and column, and no panic on any bytes.

use super::{features, mutated};
use crate::{Csc, Error, Format, Kind, Labelled, Matrix, write_labelled};
use proptest::prelude::*;

fn read(text: impl AsRef<[u8]>) -> Result<Labelled, Error> {
    features(Format::MatrixMarket, text)
}

fn sparse(rows: usize, columns: usize, entries: &[(u32, usize, f64)]) -> Matrix {
    let mut starts = vec![0; columns + 1];
    entries
        .iter()
        .for_each(|&(_, column, _)| starts[column + 1..].iter_mut().for_each(|s| *s += 1));
    let rows_of = entries.iter().map(|entry| entry.0).collect();
    let values = entries.iter().map(|entry| entry.2).collect();
    Matrix::Sparse(Csc::new_csc((rows, columns), starts, rows_of, values))
}

#[test]
fn every_kind_is_read() {
    let general = "%%MatrixMarket matrix coordinate real general\n% note\n\n2 3 3\n1 1 0.5\n2 3 -1e1\n2 1 2\n";
    let expected = sparse(2, 3, &[(0, 0, 0.5), (1, 0, 2.0), (1, 2, -10.0)]);
    assert_eq!(read(general).unwrap().features, expected);
    let pattern = "%%MatrixMarket MATRIX Coordinate pattern general\r\n2 2 1\r\n 2\t1 \r\n";
    assert_eq!(
        read(pattern).unwrap().features,
        sparse(2, 2, &[(1, 0, 1.0)])
    );
    let symmetric = "%%MatrixMarket matrix coordinate integer symmetric\n3 3 2\n1 1 5\n3 1 7\n";
    let expected = sparse(3, 3, &[(0, 0, 5.0), (2, 0, 7.0), (0, 2, 7.0)]);
    assert_eq!(read(symmetric).unwrap().features, expected);
    let array = "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4";
    assert_eq!(
        read(array).unwrap().features,
        Matrix::from_columns(2, 2, vec![1.0, 2.0, 3.0, 4.0])
    );
    let half = "%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n";
    assert_eq!(
        read(half).unwrap().features,
        Matrix::from_columns(2, 2, vec![1.0, 2.0, 2.0, 3.0])
    );
}

#[test]
fn errors_say_where_and_what() {
    let header = "%%MatrixMarket matrix coordinate real general\n";
    let message = |text: &str| read(text).unwrap_err().to_string();
    let is = |body: &str, expected: &str| assert_eq!(message(&format!("{header}{body}")), expected);
    is(
        "2 2 1\n3 1 1\n",
        "a.mtx, line 3, column 1: expected a row from 1 to the number of rows, found \"3\"",
    );
    is(
        "2 2 1\n1 0 1\n",
        "a.mtx, line 3, column 3: expected a column from 1 to the number of columns, found \"0\"",
    );
    is(
        "2 2 1\n1 1\n",
        "a.mtx, line 3, column 4: expected a number, found the end of the line",
    );
    is(
        "2 2 1\n1 1 1 1\n",
        "a.mtx, line 3, column 7: expected the end of the line, found \"1\"",
    );
    is(
        "2 2 2\n1 1 1\n",
        "a.mtx: the number of entries: expected 2, found 1",
    );
    is(
        "2 2 2\n1 1 1\n1 1 1\n",
        "a.mtx: the entry in row 1, column 1 is given twice",
    );
    is(
        "2 2\n",
        "a.mtx, line 2, column 4: expected the numbers of rows, columns and entries, found \"2 2\"",
    );
    is(
        "",
        "a.mtx: the header ends too early: it was cut off, or is still being written",
    );
    is("0 2 0\n", "a.mtx: no rows in the input");
    assert!(
        message(&format!("{header}1 1 1\n1 1 inf\n"))
            .contains("line 3, column 5: expected a finite number")
    );
    assert!(
        message("%%MatrixMarket matrix coordinate complex general\n").contains("is not supported")
    );
    assert!(message("hello\n").contains("line 1, column 1: expected %%MatrixMarket matrix"));
}

#[test]
fn promises_reserve_nothing() {
    let huge = "%%MatrixMarket matrix coordinate real general\n4000000000 4000000000 1152921504606846976\n1 1 1\n";
    assert!(matches!(
        read(huge).unwrap_err().kind,
        Kind::Mismatch { found: 1, .. }
    ));
    let wide = "%%MatrixMarket matrix coordinate real general\n1 4000000000 1\n1 1 1\n";
    assert!(matches!(
        read(wide).unwrap_err().kind,
        Kind::TooLarge { .. }
    ));
    let array = "%%MatrixMarket matrix array real symmetric\n4000000000 4000000000\n1\n";
    assert!(matches!(
        read(array).unwrap_err().kind,
        Kind::Mismatch { found: 1, .. }
    ));
    let beyond = "%%MatrixMarket matrix array real general\n1099511627776 1\n1\n";
    assert!(matches!(
        read(beyond).unwrap_err().kind,
        Kind::TooLarge { .. }
    ));
}

proptest! {
    #[test]
    fn what_is_written_is_read(entries in prop::collection::btree_map((0usize..400, 0u32..50), -1e3..1e3, 1..200), dense: bool) {
        let entries: Vec<_> = entries.iter().map(|(&(column, row), &value)| (row, column, value)).collect();
        let mut matrix = sparse(50, 400, &entries);
        if let (true, Matrix::Sparse(csc)) = (dense, &matrix) {
            matrix = Matrix::from_columns(400, 50, csc.to_dense().into_raw_vec_and_offset().0);
        }
        let data = Labelled { features: matrix, target: None, names: None };
        let mut text = Vec::new();
        write_labelled(&data, Format::MatrixMarket, &mut text).unwrap();
        prop_assert_eq!(read(&text).unwrap(), data);
    }

    #[test]
    fn no_mutation_panics(at: usize, byte: u8, cut in 0usize..30, which in 0usize..3, body in "[0-9%. \r\n-]{0,60}") {
        let valid = [
            "%%MatrixMarket matrix coordinate real symmetric\n3 3 2\n1 1 5\n3 1 7e-3\n",
            "%%MatrixMarket matrix array integer general\n2 2\n1\n2\n3\n4\n",
            "%%MatrixMarket matrix coordinate pattern general\n% c\n3 3 2\n1 1\n3 1\n",
        ][which];
        let _ = read(mutated(valid.as_bytes(), at, byte, cut));
        let _ = read(format!("%%MatrixMarket matrix coordinate real symmetric\n{body}"));
    }
}
