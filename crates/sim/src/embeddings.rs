//! Vectors that put like texts close together: hashed words and letter triples, normalised.

use crate::seed;
use crate::words;

/// The vector of a text: `size` numbers of length 1 together (all zero only for a text without words).
pub(crate) fn embed(text: &str, size: usize) -> Vec<f32> {
    let mut sums = vec![0f32; size.max(1)];
    let all: Vec<String> = words::all(text).collect();
    for word in &words::content(text) {
        add(&mut sums, word, 3.0);
    }
    for word in &all {
        add(&mut sums, word, 0.3);
        let letters: Vec<char> = format!("^{word}$").chars().collect();
        for three in letters.windows(3) {
            add(&mut sums, &three.iter().collect::<String>(), 0.4);
        }
    }
    for two in all.windows(2) {
        add(&mut sums, &two.join(" "), 0.5);
    }
    normalise(&mut sums);
    sums
}

/// Cosine of two vectors of length 1.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn add(sums: &mut [f32], feature: &str, weight: f32) {
    let h = seed::mix(0xe3bd, feature.as_bytes());
    // two places a feature, signs from the hash: collisions cancel on average
    for part in [h & 0xffff_ffff, h >> 32] {
        let sign = if part & 1 == 0 { 1.0 } else { -1.0 };
        let at = usize::try_from(part >> 1).unwrap_or(0) % sums.len();
        sums[at] += sign * weight;
    }
}

fn normalise(sums: &mut [f32]) {
    let length = sums.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        sums.iter_mut().for_each(|x| *x /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_texts_lie_closer() {
        let e = |t| embed(t, 256);
        let refund = e("How do I get a refund for my order?");
        let near = cosine(&refund, &e("Refunds for orders are paid within ten days."));
        let far = cosine(&refund, &e("The crane lifts a turbine at dawn."));
        assert!(near > far + 0.15, "{near} {far}");
        assert!((cosine(&refund, &refund) - 1.0).abs() < 1e-5);
    }
}
