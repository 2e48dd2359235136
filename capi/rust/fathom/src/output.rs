//! Variable output: ask for the size, then read that much.

use crate::error::{check, Result};

/// `call(buffer, capacity, needed)` fills a buffer as every function with variable output does; `T` is plain data.
pub(crate) fn read_all<T: Copy>(blank: T, mut call: impl FnMut(*mut T, usize, *mut usize) -> i32) -> Result<Vec<T>> {
    let mut needed = 0;
    check(call(core::ptr::null_mut(), 0, &mut needed))?;
    let mut out = vec![blank; needed];
    if needed > 0 {
        check(call(out.as_mut_ptr(), out.len(), &mut needed))?;
        out.truncate(needed);
    }
    Ok(out)
}

/// The same for text, which is UTF-8 unless a model's tokens make it something else.
pub(crate) fn read_text(mut call: impl FnMut(*mut core::ffi::c_char, usize, *mut usize) -> i32) -> Result<String> {
    let bytes = read_all(0u8, |buffer, capacity, needed| call(buffer.cast(), capacity, needed))?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Plain Rust, so that miri can run it.
    #[test]
    fn sizes_are_asked_for_first() {
        let content = [7, 8, 9];
        let mut calls = 0;
        let read = read_all(0, |buffer: *mut i32, capacity, needed| {
            calls += 1;
            // SAFETY: as a library would: within the capacity it was told.
            unsafe {
                *needed = content.len();
                if capacity >= content.len() {
                    core::ptr::copy_nonoverlapping(content.as_ptr(), buffer, content.len());
                }
            }
            0
        });
        assert_eq!(read.unwrap(), content);
        assert_eq!(calls, 2);
    }

    #[test]
    fn text_that_is_not_utf8_is_replaced() {
        let text = read_text(|buffer, capacity, needed| {
            // SAFETY: one byte, when there is room for it.
            unsafe {
                *needed = 1;
                if capacity > 0 {
                    *buffer.cast::<u8>() = 0xff;
                }
            }
            0
        });
        assert_eq!(text.unwrap(), "\u{fffd}");
    }
}
