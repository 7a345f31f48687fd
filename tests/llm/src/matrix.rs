//! Weights as their file holds them. They are turned into plain numbers a row at a time, while they are used: as exact
//! as a model that was turned into plain numbers when it was loaded, in a sixth of its memory.

/// Numbers that share one scale.
const BLOCK: usize = 32;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    /// Of 32 numbers: a scale, a least value, 4 bits each.
    Q4_1,
    /// Of 32 numbers: a scale, 8 bits each.
    Q8_0,
}

impl Kind {
    /// By the number the format gives it.
    pub fn of(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::F32),
            3 => Some(Self::Q4_1),
            8 => Some(Self::Q8_0),
            _ => None,
        }
    }

    fn bytes(self, numbers: usize) -> usize {
        match self {
            Self::F32 => numbers * 4,
            Self::Q4_1 => numbers / BLOCK * 20,
            Self::Q8_0 => numbers / BLOCK * 34,
        }
    }
}

pub struct Matrix {
    kind: Kind,
    columns: usize,
    rows: usize,
    bytes: &'static [u8],
}

impl Matrix {
    /// # Errors
    /// When there are fewer bytes than that, or rows that are no whole blocks.
    pub fn new(kind: Kind, columns: usize, rows: usize, bytes: &'static [u8]) -> Result<Self, String> {
        if columns == 0 || (kind != Kind::F32 && !columns.is_multiple_of(BLOCK)) {
            return Err(format!("rows of {columns} numbers are no whole blocks"));
        }
        let length = rows.checked_mul(kind.bytes(columns)).ok_or("it is beyond all measure")?;
        let bytes = bytes.get(..length).ok_or("the file ends before it does")?;
        Ok(Self { kind, columns, rows, bytes })
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row, as plain numbers.
    pub fn row(&self, row: usize, into: &mut [f32]) {
        plain(self.kind, self.stored(row), into);
    }

    /// Multiplies each of several vectors, which lie one after the other. Each comes out the same to the last bit
    /// however many there are.
    pub fn times(&self, vectors: &[f32]) -> Vec<f32> {
        let mut products = vec![0.0; vectors.len() / self.columns * self.rows];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the processor has just been asked whether it can do this")]
            // SAFETY: AVX2 and FMA are there.
            unsafe {
                self.times_in_avx2(vectors, &mut products);
            }
            return products;
        }
        self.multiply(vectors, &mut products, dot);
        products
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn times_in_avx2(&self, vectors: &[f32], products: &mut [f32]) {
        self.multiply(vectors, products, |a, b| dot_in_avx2(a, b));
    }

    #[inline(always)]
    fn multiply(&self, vectors: &[f32], products: &mut [f32], dot: impl Fn(&[f32], &[f32]) -> f32) {
        let mut weights = vec![0.0; self.columns];
        for row in 0..self.rows {
            plain(self.kind, self.stored(row), &mut weights);
            for (n, vector) in vectors.chunks_exact(self.columns).enumerate() {
                products[n * self.rows + row] = dot(&weights, vector);
            }
        }
    }

    #[inline(always)]
    fn stored(&self, row: usize) -> &[u8] {
        let length = self.kind.bytes(self.columns);
        &self.bytes[row * length..][..length]
    }
}

/// The sum of products, in lanes that a compiler can put side by side.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; BLOCK];
    let (whole_a, rest_a) = a.as_chunks::<BLOCK>();
    let (whole_b, rest_b) = b.as_chunks::<BLOCK>();
    for (x, y) in whole_a.iter().zip(whole_b) {
        for n in 0..BLOCK {
            lanes[n] += x[n] * y[n];
        }
    }
    lanes.iter().sum::<f32>() + rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum::<f32>()
}

/// The same with what newer processors have: left to itself, the compiler makes it a quarter as fast.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "eight numbers at once are loaded by a pointer")]
fn dot_in_avx2(a: &[f32], b: &[f32]) -> f32 {
    use std::arch::x86_64::{
        _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let mut sums = [_mm256_setzero_ps(); 4];
    let (whole_a, rest_a) = a.as_chunks::<BLOCK>();
    let (whole_b, rest_b) = b.as_chunks::<BLOCK>();
    for (x, y) in whole_a.iter().zip(whole_b) {
        for (n, sum) in sums.iter_mut().enumerate() {
            // SAFETY: 32 numbers are there, of which eight are read at 0, 8, 16 and 24.
            let (x, y) =
                unsafe { (_mm256_loadu_ps(x.as_ptr().add(8 * n)), _mm256_loadu_ps(y.as_ptr().add(8 * n))) };
            *sum = _mm256_fmadd_ps(x, y, *sum);
        }
    }
    let sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    let mut eight = [0.0f32; 8];
    // SAFETY: there is room for eight.
    unsafe { _mm256_storeu_ps(eight.as_mut_ptr(), sum) };
    eight.iter().sum::<f32>() + rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum::<f32>()
}

#[inline(always)]
fn plain(kind: Kind, stored: &[u8], into: &mut [f32]) {
    match kind {
        Kind::F32 => {
            for (number, bytes) in into.iter_mut().zip(stored.as_chunks::<4>().0) {
                *number = f32::from_le_bytes(*bytes);
            }
        }
        Kind::Q4_1 => {
            for (numbers, block) in into.as_chunks_mut::<BLOCK>().0.iter_mut().zip(stored.as_chunks::<20>().0)
            {
                let (scale, least) = (half([block[0], block[1]]), half([block[2], block[3]]));
                for n in 0..BLOCK / 2 {
                    numbers[n] = f32::from(block[4 + n] & 15) * scale + least;
                    numbers[n + BLOCK / 2] = f32::from(block[4 + n] >> 4) * scale + least;
                }
            }
        }
        Kind::Q8_0 => {
            for (numbers, block) in into.as_chunks_mut::<BLOCK>().0.iter_mut().zip(stored.as_chunks::<34>().0)
            {
                let scale = half([block[0], block[1]]);
                for n in 0..BLOCK {
                    numbers[n] = f32::from(block[2 + n].cast_signed()) * scale;
                }
            }
        }
    }
}

/// A number of 16 bits: 1 of sign, 5 of exponent, 10 of fraction.
#[inline(always)]
fn half(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 31, bits & 1023);
    let size = match exponent {
        0 => fraction as f32 * 2f32.powi(-24),
        31 if fraction == 0 => f32::INFINITY,
        31 => f32::NAN,
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    if sign == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: [u8; 2] = 0x3c00u16.to_le_bytes();
    const MINUS_TWO: [u8; 2] = 0xc000u16.to_le_bytes();

    #[test]
    fn numbers_of_sixteen_bits() {
        for (bits, value) in
            [(0x3c00u16, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x0001, 5.960_464_5e-8), (0, 0.0)]
        {
            assert_eq!(half(bits.to_le_bytes()), value);
        }
        assert!(half(0x7c01u16.to_le_bytes()).is_nan() && half(0xfc00u16.to_le_bytes()) == f32::NEG_INFINITY);
    }

    #[test]
    fn four_bits_a_number_low_halves_first() {
        let mut stored = [ONE, MINUS_TWO].concat();
        stored.extend((0..16u8).map(|n| n | (15 - n) << 4));
        let mut row = [0.0; 32];
        Matrix::new(Kind::Q4_1, 32, 1, stored.leak()).unwrap().row(0, &mut row);
        let expected: Vec<f32> = (0..16).chain((0..16).rev()).map(|n| n as f32 - 2.0).collect();
        assert_eq!(row.to_vec(), expected);
    }

    #[test]
    fn products_are_the_same_alone_and_among_others() {
        let mut stored = Vec::new();
        for row in 0..3i8 {
            for block in 0..2i8 {
                stored.extend(MINUS_TWO);
                stored.extend((0..32i8).map(|n| (n * 3 - row * 20 + block).cast_unsigned()));
            }
        }
        let matrix = Matrix::new(Kind::Q8_0, 64, 3, stored.leak()).unwrap();
        let vectors: Vec<f32> = (0..5 * 64).map(|n| (n as f32 * 0.37).sin()).collect();
        let together = matrix.times(&vectors);
        let alone: Vec<f32> = vectors.chunks(64).flat_map(|vector| matrix.times(vector)).collect();
        assert_eq!(together, alone);
        let mut row = vec![0.0; 64];
        matrix.row(1, &mut row);
        let by_hand: f32 = row.iter().zip(&vectors[64..128]).map(|(x, y)| x * y).sum();
        assert!((together[3 + 1] - by_hand).abs() < 0.01, "{} {by_hand}", together[4]);
    }

    #[test]
    fn what_is_too_short_is_refused() {
        assert!(Matrix::new(Kind::Q8_0, 32, 2, &[0; 67]).is_err());
        assert!(Matrix::new(Kind::Q4_1, 33, 1, &[0; 200]).is_err());
    }
}
