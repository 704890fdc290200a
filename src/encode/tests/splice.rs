//! A leaf that is copied from one file into another is the leaf that would have been encoded there, byte for byte.

use std::collections::HashSet;

use super::*;
use crate::store::digest::same_bytes;
use crate::store::record::Piece;

/// Both files of a day, each with its leaf's pieces.
type Files = (WrittenDay<Vec<u8>>, WrittenDay<Vec<u8>>);

/// The day of these leaves, where those that are given with a place are copied from there and only the others are encoded.
fn splice(leaves: &[LeafRows], sources: &[Option<(&Files, usize)>]) -> Files {
    let schema = &leaves[0].schema;
    let encoder = LeafEncoder::new(Arc::clone(schema), Formats::default()).unwrap();
    let mut parquet = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), schema).unwrap();
    let mut csv = CsvDayWriter::new(Vec::new(), Path::new(CSV), schema).unwrap();
    for (index, (rows, source)) in leaves.iter().zip(sources).enumerate() {
        let Some(((old_parquet, old_csv), place)) = source else {
            let leaf = encoder.encode(index, rows).unwrap();
            parquet.append(leaf.parquet.unwrap()).unwrap();
            csv.append(&leaf.csv.unwrap()).unwrap();
            continue;
        };
        let (footer, part) = (footer(old_parquet), part(old_parquet, *place));
        let piece = &old_parquet.pieces[*place];
        let written = parquet.append_copy(&footer, *place, &part, piece).unwrap();
        assert!(same_bytes(&written.unwrap(), piece));
        let piece = &old_csv.pieces[*place];
        let lines = &old_csv.out[piece.offset as usize..];
        let written = csv.append_copy(lines, piece, Path::new(CSV)).unwrap();
        assert!(same_bytes(&written.unwrap(), piece));
    }
    (parquet.finish().unwrap(), csv.finish().unwrap())
}

/// What stands behind the last leaf, read as the footer of its file.
fn footer(file: &WrittenDay<Vec<u8>>) -> ParquetFooter {
    let last = file.pieces.last().unwrap();
    let end = last.offset + last.bytes;
    let part = FilePart::new(end, file.out[end as usize..].to_vec());
    ParquetFooter::read(&part, Path::new(PARQUET)).unwrap()
}

/// As versions before the sums recorded it.
fn without_sum(piece: &Piece) -> Piece {
    Piece {
        sum: None,
        ..piece.clone()
    }
}

fn part(file: &WrittenDay<Vec<u8>>, leaf: usize) -> FilePart {
    let piece = &file.pieces[leaf];
    let range = piece.offset as usize..(piece.offset + piece.bytes) as usize;
    FilePart::new(piece.offset, file.out[range].to_vec())
}

fn expect_equal(found: &Files, expected: &Files) {
    assert!(found.0.out == expected.0.out, "Parquet");
    assert!(found.1.out == expected.1.out, "CSV");
    for (found, expected) in [(&found.0, &expected.0), (&found.1, &expected.1)] {
        assert_eq!(found.pieces, expected.pieces);
        assert_eq!((&found.rest, found.bytes), (&expected.rest, expected.bytes));
    }
}

/// A day put together from copies out of a file that has some of its leaves, and again from copies of the result.
fn expect_any_splice_equal(leaves: &[LeafRows], kept: &HashSet<usize>) {
    let expected = encode(leaves);
    let (places, some): (Vec<usize>, Vec<LeafRows>) = leaves
        .iter()
        .enumerate()
        .filter(|(index, _)| kept.contains(index))
        .map(|(index, leaf)| (index, leaf.clone()))
        .unzip();
    let old = (!some.is_empty()).then(|| encode(&some));
    let sources: Vec<_> = (0..leaves.len())
        .map(|index| {
            let place = places.iter().position(|&place| place == index)?;
            Some((old.as_ref()?, place))
        })
        .collect();
    let spliced = splice(leaves, &sources);
    expect_equal(&spliced, &expected);
    let again: Vec<_> = (0..leaves.len()).map(|index| Some((&spliced, index))).collect();
    expect_equal(&splice(leaves, &again), &expected);
}

#[test]
fn leaves_of_many_pages_are_copied_among_others() {
    let leaf = long_leaf(1 << 17);
    let short = LeafRows {
        times: leaf.times[..100].to_vec(),
        columns: leaf.columns.iter().map(|column| column.slice(0, 100)).collect(),
        ..leaf.clone()
    };
    let leaves = [short.clone(), leaf.clone(), short, leaf];
    for kept in [&[0, 1, 3][..], &[1, 2], &[3], &[0, 1, 2, 3]] {
        expect_any_splice_equal(&leaves, &kept.iter().copied().collect());
    }
}

#[test]
fn what_is_copied_is_what_the_piece_says() {
    let leaf = long_leaf(1000);
    let files = encode(&[leaf.clone(), leaf.clone()]);
    let mut damaged = part(&files.0, 1);
    let piece = &files.0.pieces[1];
    let mut bytes = files.0.out[piece.offset as usize..(piece.offset + piece.bytes) as usize].to_vec();
    for at in [0, bytes.len() / 2, bytes.len() - 1] {
        bytes[at] ^= 1;
        damaged = FilePart::new(piece.offset, bytes.clone());
        bytes[at] ^= 1;
        let mut parquet = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), &leaf.schema).unwrap();
        let written = parquet.append_copy(&footer(&files.0), 1, &damaged, piece).unwrap();
        assert_eq!(written, None, "byte {at}");
        let piece = &without_sum(piece);
        let mut parquet = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), &leaf.schema).unwrap();
        let written = parquet.append_copy(&footer(&files.0), 1, &damaged, piece).unwrap();
        assert!(!same_bytes(&written.unwrap(), piece), "byte {at}");
    }
    // The footer's leaf 0 is not in the bytes of leaf 1.
    let mut parquet = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), &leaf.schema).unwrap();
    assert!(parquet.append_copy(&footer(&files.0), 0, &damaged, piece).is_err());

    // A CSV file that ends too soon is no copy; without a sum on record it is a piece that is too short.
    let piece = &files.1.pieces[1];
    let lines = &files.1.out[piece.offset as usize..files.1.out.len() - 1];
    let mut csv = CsvDayWriter::new(Vec::new(), Path::new(CSV), &leaf.schema).unwrap();
    assert_eq!(csv.append_copy(lines, piece, Path::new(CSV)).unwrap(), None);
    let mut csv = CsvDayWriter::new(Vec::new(), Path::new(CSV), &leaf.schema).unwrap();
    let written = csv.append_copy(lines, &without_sum(piece), Path::new(CSV)).unwrap();
    assert_eq!(written.unwrap().bytes, piece.bytes - 1);
}

/// The day of these leaves, made of a file that lacks the columns that are `lacking`; they are null in all leaves but `encoded`.
fn expect_widened_equal(mut leaves: Vec<LeafRows>, lacking: &[bool], encoded: Option<usize>) {
    let schema = Arc::clone(&leaves[0].schema);
    let lacks = |column: usize| lacking.get(column).copied().unwrap_or(false);
    for (index, leaf) in leaves.iter_mut().enumerate() {
        for (number, array) in leaf.columns.iter_mut().enumerate() {
            if lacks(number) && Some(index) != encoded {
                let column = &schema.columns[number];
                *array = match column.kind {
                    ColumnKind::Tag => tags(vec![None; leaf.times.len()]),
                    ColumnKind::Field => new_null_array(&column.ty.arrow(), leaf.times.len()),
                };
            }
        }
    }
    let kept = |number: &usize| !lacks(*number);
    let narrow = (0..schema.columns.len())
        .filter(kept)
        .map(|number| schema.columns[number].clone());
    let narrow = Arc::new(DaySchema {
        columns: narrow.collect(),
        ..DaySchema::clone(&schema)
    });
    let narrow_leaf = |leaf: &LeafRows| LeafRows {
        schema: Arc::clone(&narrow),
        times: leaf.times.clone(),
        columns: (0..schema.columns.len())
            .filter(kept)
            .map(|number| Arc::clone(&leaf.columns[number]))
            .collect(),
    };
    let (old_parquet, old_csv) = encode(&leaves.iter().map(narrow_leaf).collect::<Vec<_>>());
    let widening = Widening::new(&narrow, &schema).unwrap();
    assert_eq!(widening.is_none(), narrow.columns.len() == schema.columns.len());

    let encoder = LeafEncoder::new(Arc::clone(&schema), Formats::default()).unwrap();
    let mut parquet = ParquetDayWriter::new(Vec::new(), Path::new(PARQUET), &schema).unwrap();
    let mut csv = CsvDayWriter::new(Vec::new(), Path::new(CSV), &schema).unwrap();
    let footer = footer(&old_parquet);
    for (index, rows) in leaves.iter().enumerate() {
        if Some(index) == encoded {
            let leaf = encoder.encode(index, rows).unwrap();
            parquet.append(leaf.parquet.unwrap()).unwrap();
            csv.append(&leaf.csv.unwrap()).unwrap();
            continue;
        }
        let piece = &old_csv.pieces[index];
        let lines = &old_csv.out[piece.offset as usize..(piece.offset + piece.bytes) as usize];
        let bytes = part(&old_parquet, index);
        let mut leaf = WideLeaf::new(
            &encoder,
            &widening,
            index,
            rows.times.len() as u64,
            Some((&footer, index, bytes)),
            Some((Path::new(CSV), lines)),
        )
        .unwrap();
        leaf.append_parquet(&mut parquet).unwrap();
        csv.append(leaf.csv.as_ref().unwrap()).unwrap();
    }
    expect_equal(&(parquet.finish().unwrap(), csv.finish().unwrap()), &encode(&leaves));
}

#[test]
fn leaves_of_many_pages_get_columns_of_nulls() {
    let leaf = long_leaf(1 << 17);
    let leaves = vec![leaf.clone(), leaf];
    for lacking in [
        [true; 5],
        [false, true, false, true, true],
        [true, false, true, false, false],
    ] {
        expect_widened_equal(leaves.clone(), &lacking, Some(1));
    }
}

#[test]
fn a_leaf_is_widened_only_to_its_columns_and_more() {
    let a = column("a", ColumnKind::Field, ColumnType::Int);
    let b = column("b", ColumnKind::Field, ColumnType::Int);
    let widening = |from: &[&Column], to: &[&Column]| {
        let schema = |columns: &[&Column]| day_schema(columns.iter().copied().cloned().collect(), TimeUnit::Ns);
        Widening::new(&schema(from), &schema(to))
    };
    assert!(widening(&[&a], &[&a]).unwrap().is_none());
    assert!(!widening(&[&b], &[&a, &b]).unwrap().is_none());
    assert_eq!(widening(&[&a, &b], &[&a]), None);
    assert_eq!(widening(&[&a, &b], &[&b, &a]), None);
    let other = Column {
        ty: ColumnType::Float,
        ..a.clone()
    };
    assert_eq!(widening(&[&a], &[&other]), None);
    let us = day_schema(vec![a.clone()], TimeUnit::Us);
    assert_eq!(Widening::new(&us, &day_schema(vec![a], TimeUnit::Ns)), None);
}

#[test]
fn lines_that_are_not_those_of_the_leaf_are_not_widened() {
    let leaf = long_leaf(3);
    let mut narrow = DaySchema::clone(&leaf.schema);
    narrow.columns.truncate(1);
    let widening = Widening::new(&narrow, &leaf.schema).unwrap();
    let encoder = LeafEncoder::new(Arc::clone(&leaf.schema), Formats::default()).unwrap();
    let widen = |lines: &str, rows: u64| {
        let lines = Some((Path::new(CSV), lines.as_bytes()));
        WideLeaf::new(&encoder, &widening, 0, rows, None, lines).map(|leaf| leaf.csv.unwrap().text)
    };
    assert_eq!(
        widen("T,a\nT,\"b\n,\"\"\"\n", 2).unwrap(),
        b"T,a,,,,,\nT,\"b\n,\"\"\",,,,,\n"
    );
    for (lines, rows) in [
        ("T,a\n", 2),
        ("T,a\nT,a", 2),
        ("T,a\nT,a\n", 1),
        ("T\n", 1),
        ("T,a,b\n", 1),
        ("T,\"a\n", 1),
    ] {
        assert!(
            widen(lines, rows).unwrap_err().to_string().starts_with(CSV),
            "{lines:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_leaves_get_columns_of_nulls_as_if_they_had_been_encoded_with_them(
        leaves in any_day(), lacking in prop::collection::vec(any::<bool>(), 6), encoded in prop::option::of(0usize..3)
    ) {
        expect_widened_equal(leaves, &lacking, encoded);
    }

    #[test]
    fn any_leaves_are_copied_to_the_bytes_that_encoding_them_gives(
        leaves in any_day(), kept in prop::collection::hash_set(0usize..3, 0..3)
    ) {
        expect_any_splice_equal(&leaves, &kept);
    }
}
