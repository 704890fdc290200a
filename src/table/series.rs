//! Series as numbers: the distinct tag sets of a measurement in their order, null first, then bytewise by tag column.

/// The distinct series of some rows of one measurement. A series' number is its rank in the order of the law.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesSet {
    /// For each tag column its distinct values, ascending bytewise.
    values: Vec<Vec<String>>,
    /// Tag values of all series, one row of `values.len()` cells a series: 0 for null, else the number of the value plus 1.
    cells: Vec<u32>,
    len: usize,
}

/// Series as some part of the input numbers them.
#[derive(Clone, Debug, Default)]
pub struct SeriesPart<'a> {
    /// For each tag column the values that `cells` refers to, in any order.
    pub values: Vec<Vec<&'a str>>,
    /// One row of `values.len()` cells a series: 0 for null, else the number of the value plus 1. Series may repeat.
    pub cells: Vec<u32>,
    /// Number of series.
    pub len: usize,
}

impl SeriesSet {
    /// The union of the parts' series over `tags` tag columns, and for each part the rank of each of its series.
    ///
    /// Every part has `tags` columns of values.
    pub fn union(tags: usize, parts: &[SeriesPart<'_>]) -> (Self, Vec<Vec<u32>>) {
        let values: Vec<Vec<String>> = (0..tags).map(|tag| distinct(parts, tag)).collect();
        let mut cells = Vec::new();
        let mut len = 0;
        for part in parts {
            let numbers: Vec<Vec<u32>> = (0..tags)
                .map(|tag| {
                    part.values[tag]
                        .iter()
                        .map(|value| number_of(&values[tag], value))
                        .collect()
                })
                .collect();
            for cell in 0..part.len * tags {
                cells.push(match part.cells[cell] {
                    0 => 0,
                    number => numbers[cell % tags][number as usize - 1] + 1,
                });
            }
            len += part.len;
        }
        let tuple = |series: u32| &cells[series as usize * tags..(series as usize + 1) * tags];
        let count = u32::try_from(len).expect("series are bounded by memory long before");
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_unstable_by(|&a, &b| tuple(a).cmp(tuple(b)));

        let mut set = Self {
            values,
            cells: Vec::new(),
            len: 0,
        };
        let mut ranks = vec![0; len];
        let mut last: Option<u32> = None;
        for series in order {
            if last.is_none_or(|last| tuple(last) != tuple(series)) {
                set.cells.extend_from_slice(tuple(series));
                set.len += 1;
            }
            last = Some(series);
            ranks[series as usize] = u32::try_from(set.len - 1).expect("a rank is below the number of series");
        }
        let mut rest = ranks.as_slice();
        let by_part = parts
            .iter()
            .map(|part| {
                let (mine, others) = rest.split_at(part.len);
                rest = others;
                mine.to_vec()
            })
            .collect();
        (set, by_part)
    }

    /// This set as a part of a larger union.
    pub fn as_part(&self) -> SeriesPart<'_> {
        SeriesPart {
            values: self
                .values
                .iter()
                .map(|values| values.iter().map(String::as_str).collect())
                .collect(),
            cells: self.cells.clone(),
            len: self.len,
        }
    }

    /// Some series of this set, by ascending ranks, as a part of a union: no more of its values than these have.
    pub fn some_as_part(&self, ranks: &[u32]) -> SeriesPart<'_> {
        let tags = self.values.len();
        let mut part = SeriesPart {
            values: Vec::with_capacity(tags),
            cells: vec![0; ranks.len() * tags],
            len: ranks.len(),
        };
        for tag in 0..tags {
            let cell = |rank: u32| self.cells[rank as usize * tags + tag];
            let mut used: Vec<u32> = ranks.iter().map(|&rank| cell(rank)).collect();
            used.sort_unstable();
            used.dedup();
            used.retain(|&number| number > 0);
            for (place, &rank) in ranks.iter().enumerate() {
                if let Ok(number) = used.binary_search(&cell(rank)) {
                    part.cells[place * tags + tag] =
                        u32::try_from(number + 1).expect("no more values than the set numbers");
                }
            }
            let values = used
                .iter()
                .map(|&number| self.values[tag][number as usize - 1].as_str());
            part.values.push(values.collect());
        }
        part
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of tag columns.
    pub fn tags(&self) -> usize {
        self.values.len()
    }

    /// The distinct values of a tag column, ascending.
    pub fn values(&self, tag: usize) -> &[String] {
        &self.values[tag]
    }

    /// A series' value of a tag column, as a number into [`SeriesSet::values`].
    pub fn value(&self, rank: u32, tag: usize) -> Option<u32> {
        self.cells[rank as usize * self.values.len() + tag].checked_sub(1)
    }
}

fn distinct(parts: &[SeriesPart<'_>], tag: usize) -> Vec<String> {
    let mut all: Vec<&str> = parts.iter().flat_map(|part| part.values[tag].iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(str::to_owned).collect()
}

fn number_of(sorted: &[String], value: &str) -> u32 {
    let number = sorted
        .binary_search_by(|other| other.as_str().cmp(value))
        .expect("the distinct values were made from the parts' values");
    u32::try_from(number).expect("tag values are bounded by memory long before")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_ranked_null_first_then_bytewise_by_tag() {
        let a = SeriesPart {
            values: vec![vec!["b", "a"], vec!["x"]],
            cells: vec![1, 0, 2, 1, 2, 0],
            len: 3,
        };
        let b = SeriesPart {
            values: vec![vec!["a"], vec![]],
            cells: vec![0, 0, 1, 0],
            len: 2,
        };
        let (set, ranks) = SeriesSet::union(2, &[a, b]);
        // (null, null) < (a, null) < (a, x) < (b, null)
        assert_eq!(set.len(), 4);
        assert_eq!(ranks, [vec![3, 2, 1], vec![0, 1]]);
        assert_eq!(set.value(2, 1), Some(0));
        assert_eq!(set.value(1, 1), None);
        assert_eq!(set.values(0), ["a", "b"]);
    }

    #[test]
    fn some_series_keep_their_order_and_bring_no_value_of_the_others() {
        let part = SeriesPart {
            values: vec![vec!["a", "b", "c"], vec!["x", "y"]],
            cells: vec![1, 0, 2, 1, 3, 2, 0, 0],
            len: 4,
        };
        let (set, _) = SeriesSet::union(2, &[part]);
        let (some, ranks) = SeriesSet::union(2, &[set.some_as_part(&[0, 3]), set.some_as_part(&[1, 3])]);
        assert_eq!(ranks, [vec![0, 2], vec![1, 2]]);
        assert_eq!(
            (some.values(0), some.values(1)),
            (&["a", "c"].map(String::from)[..], &["y".to_owned()][..])
        );
    }

    #[test]
    fn a_measurement_without_tags_has_one_series() {
        let part = SeriesPart {
            values: vec![],
            cells: vec![],
            len: 1,
        };
        let (set, ranks) = SeriesSet::union(0, &[part.clone(), part]);
        assert_eq!((set.len(), ranks), (1, vec![vec![0], vec![0]]));
    }
}
