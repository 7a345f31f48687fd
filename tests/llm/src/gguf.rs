//! Reads the container that models of llama.cpp come in: named facts, then named arrays of numbers.
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

use std::collections::HashMap;

use crate::matrix::{Kind, Matrix};

/// A model's file, held in memory until the process ends.
pub struct File {
    facts: HashMap<String, Fact>,
    tensors: HashMap<String, Tensor>,
    /// What follows the head: the numbers.
    data: &'static [u8],
}

enum Fact {
    Number(f64),
    Text(String),
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

struct Tensor {
    columns: usize,
    rows: usize,
    kind: u32,
    at: usize,
}

impl File {
    /// # Errors
    /// What is not as the format says.
    pub fn read(bytes: &'static [u8]) -> Result<Self, String> {
        let mut from = Cursor { bytes, at: 0 };
        if from.take(4)? != b"GGUF" {
            return Err("this is no GGUF file".into());
        }
        let version = from.u32()?;
        if version != 3 {
            return Err(format!("GGUF version {version} is not known: only 3 is"));
        }
        let (tensors, facts) = (from.length()?, from.length()?);
        let facts = (0..facts)
            .map(|_| Ok((from.text()?, from.fact()?)))
            .collect::<Result<HashMap<_, _>, String>>()?;
        let tensors = (0..tensors).map(|_| from.tensor()).collect::<Result<_, String>>()?;
        let step = match facts.get("general.alignment") {
            Some(Fact::Number(step)) if *step >= 1.0 => *step as usize,
            _ => 32,
        };
        let data = bytes.get(from.at.next_multiple_of(step)..).ok_or("the file ends before its numbers")?;
        Ok(Self { facts, tensors, data })
    }

    pub fn number(&self, name: &str) -> Result<f64, String> {
        match self.facts.get(name) {
            Some(Fact::Number(value)) => Ok(*value),
            _ => Err(format!("the model's file has no number `{name}`")),
        }
    }

    pub fn text(&self, name: &str) -> Result<&str, String> {
        match self.facts.get(name) {
            Some(Fact::Text(value)) => Ok(value),
            _ => Err(format!("the model's file has no text `{name}`")),
        }
    }

    pub fn texts(&self, name: &str) -> Result<&[String], String> {
        match self.facts.get(name) {
            Some(Fact::Texts(values)) => Ok(values),
            _ => Err(format!("the model's file has no texts `{name}`")),
        }
    }

    pub fn numbers(&self, name: &str) -> Result<&[f64], String> {
        match self.facts.get(name) {
            Some(Fact::Numbers(values)) => Ok(values),
            _ => Err(format!("the model's file has no numbers `{name}`")),
        }
    }

    pub fn matrix(&self, name: &str) -> Result<Matrix, String> {
        let tensor = self.tensors.get(name).ok_or_else(|| format!("the model's file has no `{name}`"))?;
        let kind =
            Kind::of(tensor.kind).ok_or_else(|| format!("`{name}` is of kind {}: not known", tensor.kind))?;
        let rest = self.data.get(tensor.at..).ok_or_else(|| format!("`{name}` lies outside the file"))?;
        Matrix::new(kind, tensor.columns, tensor.rows, rest).map_err(|why| format!("`{name}`: {why}"))
    }

    pub fn vector(&self, name: &str) -> Result<Vec<f32>, String> {
        let matrix = self.matrix(name)?;
        let mut row = vec![0.0; matrix.columns()];
        matrix.row(0, &mut row);
        Ok(row)
    }
}

struct Cursor {
    bytes: &'static [u8],
    at: usize,
}

impl Cursor {
    fn take(&mut self, length: usize) -> Result<&'static [u8], String> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("the file is cut off")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things, each of which takes a byte at least.
    fn length(&mut self) -> Result<usize, String> {
        let length = self.u64()?;
        usize::try_from(length)
            .ok()
            .filter(|n| *n <= self.bytes.len())
            .ok_or_else(|| "a length is beyond the file".into())
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.length()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| "a text is no UTF-8".into())
    }

    fn fact(&mut self) -> Result<Fact, String> {
        let kind = self.u32()?;
        match kind {
            8 => Ok(Fact::Text(self.text()?)),
            9 => {
                let (kind, length) = (self.u32()?, self.length()?);
                match kind {
                    8 => Ok(Fact::Texts((0..length).map(|_| self.text()).collect::<Result<_, _>>()?)),
                    kind => {
                        Ok(Fact::Numbers((0..length).map(|_| self.number(kind)).collect::<Result<_, _>>()?))
                    }
                }
            }
            kind => Ok(Fact::Number(self.number(kind)?)),
        }
    }

    fn number(&mut self, kind: u32) -> Result<f64, String> {
        Ok(match kind {
            0 | 7 => f64::from(self.array::<1>()?[0]),
            1 => f64::from(i8::from_le_bytes(self.array()?)),
            2 => f64::from(u16::from_le_bytes(self.array()?)),
            3 => f64::from(i16::from_le_bytes(self.array()?)),
            4 => f64::from(self.u32()?),
            5 => f64::from(i32::from_le_bytes(self.array()?)),
            6 => f64::from(f32::from_le_bytes(self.array()?)),
            10 => self.u64()? as f64,
            11 => i64::from_le_bytes(self.array()?) as f64,
            12 => f64::from_le_bytes(self.array()?),
            kind => return Err(format!("a fact is of kind {kind}: not known")),
        })
    }

    fn tensor(&mut self) -> Result<(String, Tensor), String> {
        let name = self.text()?;
        let sizes = self.u32()? as usize;
        let sizes = (0..sizes).map(|_| self.length()).collect::<Result<Vec<_>, _>>()?;
        let columns = sizes.first().copied().unwrap_or(1);
        let rows = sizes.iter().skip(1).product();
        Ok((name, Tensor { columns, rows, kind: self.u32()?, at: self.length()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(facts: u64, body: &[u8]) -> Result<File, String> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(0u64.to_le_bytes());
        bytes.extend(facts.to_le_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        File::read(bytes.leak())
    }

    #[test]
    fn facts_are_read_by_their_kind() {
        let mut body = Vec::new();
        for (name, kind, value) in
            [("n", 4u32, 7u32.to_le_bytes().to_vec()), ("f", 6, 0.5f32.to_le_bytes().to_vec())]
        {
            body.extend((name.len() as u64).to_le_bytes());
            body.extend(name.as_bytes());
            body.extend(kind.to_le_bytes());
            body.extend(value);
        }
        let file = file(2, &body).unwrap();
        assert_eq!(file.number("n"), Ok(7.0));
        assert_eq!(file.number("f"), Ok(0.5));
        assert!(file.text("n").is_err() && file.number("other").is_err());
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_refused() {
        assert!(file(1, &[40, 0, 0, 0, 0, 0, 0, 0, b'x']).is_err());
        assert!(File::read(b"PK\x03\x04 and so on").err().is_some_and(|why| why.contains("no GGUF")));
        assert!(file(u64::MAX, &[]).err().is_some_and(|why| why.contains("beyond")));
    }
}
