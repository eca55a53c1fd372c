//! The inside of JSON strings. On the record path: only [`unescape`] allocates.

/// The first quote, backslash or control character from `at` on, or the end.
#[inline]
pub(super) fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // Eight bytes at a time. A byte above a hit may be reported too, so only the lowest counts.
    let zero_bytes = |x: u64| x.wrapping_sub(ONES) & !x & HIGH;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let x = u64::from_le_bytes(chunk.try_into().expect("eight bytes"));
        let control = x.wrapping_sub(ONES * 0x20) & !x & HIGH;
        let hits = control | zero_bytes(x ^ (ONES * u64::from(b'"'))) | zero_bytes(x ^ (ONES * u64::from(b'\\')));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&b) = bytes.get(at) {
        if b == b'"' || b == b'\\' || b < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Whether a key, as it stands between its quotes, is `name`.
#[inline]
pub(crate) fn key_equals(key: &[u8], escaped: bool, name: &[u8]) -> bool {
    if escaped {
        unescape(key).as_bytes() == name
    } else {
        key == name
    }
}

/// The text of a checked string, given what stands between its quotes. A surrogate without its other half becomes `?`, which is what
/// Java writes for it.
pub(crate) fn unescape(raw: &[u8]) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let escape = rest[at + 1];
        rest = &rest[at + 2..];
        match escape {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut unit = hex4(rest);
                rest = &rest[4..];
                if (0xD800..0xDC00).contains(&unit) && rest.starts_with(b"\\u") {
                    let low = hex4(&rest[2..]);
                    if (0xDC00..0xE000).contains(&low) {
                        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                        rest = &rest[6..];
                    }
                }
                let c = char::from_u32(unit).unwrap_or('?');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            plain => out.push(plain),
        }
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).expect("the document was checked when it was read")
}

fn hex4(digits: &[u8]) -> u32 {
    digits[..4].iter().fold(0, |n, &d| {
        n * 16 + char::from(d).to_digit(16).expect("checked as hexadecimal")
    })
}

/// How many Java characters the text of a checked string has.
pub(super) fn java_length(raw: &[u8]) -> usize {
    let text = if raw.contains(&b'\\') {
        unescape(raw)
    } else {
        String::from_utf8_lossy(raw).into_owned()
    };
    text.chars().map(char::len_utf16).sum()
}
