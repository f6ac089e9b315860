//! Text into records: lines, quotes and separators.

use super::layout::Separator;
use super::table::Fields;

/// Records of a text, one after the other.
pub(super) struct Scanner<'t> {
    text: &'t str,
    separator: Separator,
    at: usize,
    line: usize,
}

/// One record: a line, or several where quotes hold line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Line of its first field, from 1.
    pub(super) line: usize,
    pub(super) num_fields: usize,
    /// Whether its line has nothing but spaces.
    pub(super) is_blank: bool,
}

/// A quote without its end, which began on this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclosed(pub(super) usize);

impl<'t> Scanner<'t> {
    /// Records behind some lines of `text`; an instruction such as `sep=;` in its first line is none.
    pub(super) fn behind(text: &'t str, separator: Separator, skip_lines: usize) -> Self {
        let mut scanner = Self {
            text,
            separator,
            at: 0,
            line: 1,
        };
        let skip_lines = skip_lines.max(usize::from(separator_line(text).is_some()));
        while scanner.line <= skip_lines && !scanner.rest().is_empty() {
            scanner.skip_line();
        }
        scanner
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Line of the next record.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The line that comes next, without its end.
    pub(super) fn peek_line(&self) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        (!rest.is_empty()).then(|| rest.get(..end).unwrap_or_default())
    }

    /// Goes to the next line, whatever this one holds.
    pub(super) fn skip_line(&mut self) {
        self.at += self.peek_line().map_or(0, str::len);
        self.end_line();
    }

    /// Behind the line end, if there is one: LF, CR LF, CR, or the CR CR LF that doubly translated files have.
    fn end_line(&mut self) -> bool {
        let length = match self.text.as_bytes().get(self.at..).unwrap_or_default() {
            [b'\r', b'\r', b'\n', ..] => 3,
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => return false,
        };
        self.at += length;
        self.line += 1;
        true
    }

    /// Adds the fields of the next record; `None` at the end of the text.
    pub(super) fn next(&mut self, fields: &mut Fields) -> Result<Option<Record>, Unclosed> {
        if self.at >= self.text.len() {
            return Ok(None);
        }
        let (line, start, first) = (self.line, self.at, fields.ends.len());
        let has_quote = match self.separator.byte() {
            Some(separator) => self.separated(separator, fields)?,
            None => self.spaced(fields)?,
        };
        let num_fields = fields.ends.len() - first;
        let is_blank = !has_quote && num_fields <= 1 && {
            let end = self.at;
            self.text.get(start..end).is_none_or(|text| text.trim().is_empty())
        };
        if num_fields == 0 {
            fields.end();
        }
        self.end_line();
        Ok(Some(Record {
            line,
            num_fields: num_fields.max(1),
            is_blank,
        }))
    }

    /// Fields between separators, up to the line end; whether one is quoted.
    fn separated(&mut self, separator: u8, fields: &mut Fields) -> Result<bool, Unclosed> {
        let bytes = self.text.as_bytes();
        let mut has_quote = false;
        loop {
            let start = self.at;
            let rest = bytes.get(start..).unwrap_or_default();
            let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
            if rest.get(spaces) == Some(&b'"') {
                has_quote = true;
                self.at += spaces;
                self.quoted(fields)?;
            }
            let start = self.at;
            let rest = bytes.get(start..).unwrap_or_default();
            let is_end = |&byte: &u8| byte == separator || byte == b'\n' || byte == b'\r';
            self.at += rest.iter().position(is_end).unwrap_or(rest.len());
            fields.text.push_str(self.text.get(start..self.at).unwrap_or_default());
            fields.end();
            match bytes.get(self.at) {
                Some(&byte) if byte == separator => self.at += 1,
                _ => return Ok(has_quote),
            }
        }
    }

    /// Fields between runs of spaces and tabulators, up to the line end; whether one is quoted.
    fn spaced(&mut self, fields: &mut Fields) -> Result<bool, Unclosed> {
        let bytes = self.text.as_bytes();
        let mut has_quote = false;
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            self.at += rest.iter().take_while(|byte| is_space(**byte)).count();
            match bytes.get(self.at) {
                None | Some(b'\n' | b'\r') => return Ok(has_quote),
                Some(b'"') => {
                    has_quote = true;
                    self.quoted(fields)?;
                }
                Some(_) => {}
            }
            let start = self.at;
            let rest = bytes.get(start..).unwrap_or_default();
            let is_end = |&byte: &u8| is_space(byte) || byte == b'\n' || byte == b'\r';
            self.at += rest.iter().position(is_end).unwrap_or(rest.len());
            fields.text.push_str(self.text.get(start..self.at).unwrap_or_default());
            fields.end();
        }
    }

    /// What stands between quotes, without them; a doubled quote is one.
    fn quoted(&mut self, fields: &mut Fields) -> Result<(), Unclosed> {
        let opened = self.line;
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(end) = rest.find('"') else {
                return Err(Unclosed(opened));
            };
            let inside = rest.get(..end).unwrap_or_default();
            fields.text.push_str(inside);
            let num_line_ends = |end: u8| inside.bytes().filter(|&byte| byte == end).count();
            self.line += num_line_ends(b'\n').max(num_line_ends(b'\r'));
            self.at += end + 1;
            match self.rest().as_bytes().first() {
                Some(b'"') => {
                    fields.text.push('"');
                    self.at += 1;
                }
                _ => return Ok(()),
            }
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0xb | 0xc)
}

/// The separator that a first line such as `sep=;` tells to Excel.
pub(super) fn separator_line(text: &str) -> Option<char> {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    let line = text.get(..end).unwrap_or_default();
    // Saved by Excel itself, the line has quotes or the separators of a row.
    let line = line.trim_start_matches('"');
    let rest = line
        .get(..4)
        .filter(|key| key.eq_ignore_ascii_case("sep="))
        .and(line.get(4..))?;
    let mut rest = rest.chars();
    let separator = rest.next().unwrap_or('\t');
    rest.all(|letter| letter == '"' || letter == separator)
        .then_some(separator)
}
