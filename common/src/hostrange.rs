//! Names with numbers in brackets: `node[01-16,20].cluster` is seventeen hosts.
//!
//! The notation is that of Slurm's node lists. A number keeps its leading zeros; several brackets in
//! one name are every combination, the last one fastest. What a list may grow to is bounded
//! before it is built.

/// The most hosts that one name or list stands for.
pub const MOST_HOSTS: usize = 65_536;

/// Why a name with brackets cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RangeError {
    /// A bracket without its partner, or one within another.
    #[error("brackets do not match; expected a form such as node[01-16]")]
    Brackets,
    /// Something between brackets is neither a number nor a range.
    #[error("{0:?} is neither a number nor a range; expected a form such as 01-16 or 3,5,8")]
    Item(String),
    /// A range ends before it begins.
    #[error("the range {0} ends before it begins")]
    Backwards(String),
    /// More hosts than any job has.
    #[error("stands for more than {MOST_HOSTS} hosts")]
    TooMany,
}

/// All names that `pattern` stands for; itself, if it has no brackets.
pub fn expand(pattern: &str) -> Result<Vec<String>, RangeError> {
    let mut names = vec![String::new()];
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('[') {
        let (items, after) = after.split_once(']').ok_or(RangeError::Brackets)?;
        if before.contains(']') || items.contains('[') {
            return Err(RangeError::Brackets);
        }
        names = combine(&names, before, &numbers(items)?)?;
        rest = after;
    }
    if rest.contains(']') {
        return Err(RangeError::Brackets);
    }
    names.iter_mut().for_each(|name| name.push_str(rest));
    Ok(names)
}

/// All names of a list whose parts are separated by commas outside brackets.
pub fn expand_list(list: &str) -> Result<Vec<String>, RangeError> {
    let mut depth = 0i32;
    let parts = list.split(|c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    });
    let mut names = Vec::new();
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        names.extend(expand(part)?);
        if names.len() > MOST_HOSTS {
            return Err(RangeError::TooMany);
        }
    }
    Ok(names)
}

fn combine(names: &[String], before: &str, numbers: &[String]) -> Result<Vec<String>, RangeError> {
    if names.len().saturating_mul(numbers.len()) > MOST_HOSTS {
        return Err(RangeError::TooMany);
    }
    let ends = |name: &String| {
        let stem = format!("{name}{before}");
        numbers.iter().map(move |number| format!("{stem}{number}"))
    };
    Ok(names.iter().flat_map(ends).collect())
}

/// The numbers between two brackets, as they are written.
fn numbers(items: &str) -> Result<Vec<String>, RangeError> {
    let mut numbers = Vec::new();
    for item in items.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (from, to) = (number(first, item)?, number(last, item)?);
        if to < from {
            return Err(RangeError::Backwards(item.to_owned()));
        }
        if (to - from) as usize >= MOST_HOSTS - numbers.len() {
            return Err(RangeError::TooMany);
        }
        let width = first.len();
        numbers.extend((from..=to).map(|number| format!("{number:0width$}")));
    }
    Ok(numbers)
}

fn number(digits: &str, item: &str) -> Result<u32, RangeError> {
    let plain = digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| RangeError::Item(item.to_owned()))
}

#[cfg(test)]
mod tests {
    //! What is written is what is meant, and nonsense is refused without being built.
    use super::*;
    use proptest::prelude::*;

    fn expanded(pattern: &str) -> Vec<String> {
        expand(pattern).unwrap()
    }

    #[test]
    fn numbers_keep_their_zeros() {
        assert_eq!(expanded("n[08-11]"), ["n08", "n09", "n10", "n11"]);
        assert_eq!(
            expanded("n[8-11,3].x"),
            ["n8.x", "n9.x", "n10.x", "n11.x", "n3.x"]
        );
        assert_eq!(expanded("r[1-2]n[1-2]"), ["r1n1", "r1n2", "r2n1", "r2n2"]);
        assert_eq!(expanded("alone"), ["alone"]);
    }

    #[test]
    fn lists_are_cut_outside_brackets() {
        assert_eq!(
            expand_list("a[1,3],b, c[7]").unwrap(),
            ["a1", "a3", "b", "c7"]
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for pattern in ["n[1-", "n]", "n[[1]]", "n[1]]"] {
            assert_eq!(expand(pattern), Err(RangeError::Brackets), "{pattern}");
        }
        for pattern in [
            "n[]",
            "n[a]",
            "n[1-2-3]",
            "n[+1]",
            "n[1,]",
            "n[-3]",
            "n[9999999999]",
        ] {
            assert!(
                matches!(expand(pattern), Err(RangeError::Item(_))),
                "{pattern}"
            );
        }
        assert_eq!(expand("n[3-1]"), Err(RangeError::Backwards("3-1".into())));
        assert_eq!(expand("n[0-999999999]"), Err(RangeError::TooMany));
        assert_eq!(expand("n[0-999][0-999]"), Err(RangeError::TooMany));
    }

    proptest! {
        #[test]
        fn a_range_has_every_number_once(from in 0u32..5000, more in 0u32..300, width in 1usize..6) {
            let to = from + more;
            let names = expanded(&format!("n[{from:0width$}-{to:0width$}]"));
            let expected: Vec<String> = (from..=to).map(|n| format!("n{n:0width$}")).collect();
            prop_assert_eq!(names, expected);
        }

        #[test]
        fn nothing_makes_it_panic(pattern in r"[a-c\[\],0-9-]{0,24}") {
            let _ = expand(&pattern);
            let _ = expand_list(&pattern);
        }
    }
}
