//! Tag keys and values as numbers, for one collector's table: a series is then a short list of pairs.

use super::collected::Map;

/// The tag keys of a table and their values, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct TagNumbers {
    pub keys: Vec<String>,
    key_numbers: Map<String, u32>,
    /// For each key its distinct values.
    pub values: Vec<Vec<String>>,
    value_numbers: Vec<Map<String, u32>>,
}

impl TagNumbers {
    /// The numbers of a tag's key and value.
    pub fn number(&mut self, key: &str, value: &str) -> (u32, u32) {
        let key_number = match self.key_numbers.get(key) {
            Some(&number) => number,
            None => {
                let number = u32::try_from(self.keys.len()).expect("tag keys are bounded by memory long before");
                self.keys.push(key.to_owned());
                self.key_numbers.insert(key.to_owned(), number);
                self.values.push(Vec::new());
                self.value_numbers.push(Map::default());
                number
            }
        };
        let values = &mut self.values[key_number as usize];
        let numbers = &mut self.value_numbers[key_number as usize];
        let value_number = match numbers.get(value) {
            Some(&number) => number,
            None => {
                let number = u32::try_from(values.len()).expect("tag values are bounded by memory long before");
                values.push(value.to_owned());
                numbers.insert(value.to_owned(), number);
                number
            }
        };
        (key_number, value_number)
    }
}
