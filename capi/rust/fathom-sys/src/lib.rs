//! Declarations of libfathom's C interface, generated from `fathom.h`, which is their manual. The crate `fathom` is the safe way.
#![allow(non_camel_case_types)]

#[allow(clippy::type_complexity)]
mod bindings;
pub use bindings::*;

#[cfg(test)]
mod tests {
    /// The list that C, Python and C# are compared with as well.
    const LAYOUT: &str = include_str!("../../../abi/layout.txt");

    #[test]
    fn structs_lie_as_the_c_compiler_lays_them() {
        let mut told = String::new();
        for (name, size, fields) in super::layout() {
            told += &format!("{name} {size}\n");
            for (field, offset) in fields {
                told += &format!("  {field} {offset}\n");
            }
        }
        let expected: String = LAYOUT
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let indent = if line.starts_with(' ') { "  " } else { "" };
                format!("{indent}{} {}\n", words[0], words[1])
            })
            .collect();
        assert_eq!(told, expected);
    }
}
