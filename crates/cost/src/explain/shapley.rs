//! What each changed factor changes, on the mean over all orders in which they could have changed.

use super::Part;
use super::cell::{Cell, FACTORS};

/// Parts are whole multiples of nano-dollars / this: the number of orders of all factors.
pub(super) const SCALE: i128 = factorial(FACTORS);

const fn factorial(n: usize) -> i128 {
    let (mut product, mut i) = (1, 1);
    while i <= n {
        product *= i as i128;
        i += 1;
    }
    product
}

/// One model's parts, times [`SCALE`].
pub(super) fn parts(cell: &Cell) -> [i128; Part::ALL.len()] {
    let mut parts = [0; Part::ALL.len()];
    let (changed, [before, after]) = (&cell.changed, cell.spent);
    let m = changed.len();
    if m == 0 {
        parts[Part::Rest as usize] = (after - before) * SCALE;
        return parts;
    }
    // a choice of factors is a number whose bits name them; the ends are what the ledger says
    let all = (1usize << m) - 1;
    let values: Vec<i128> = (0..=all)
        .map(|choice| match choice {
            0 => before,
            _ if choice == all => after,
            _ => cell.value(|part| {
                changed.iter().position(|p| *p == part).is_some_and(|n| choice & (1 << n) != 0)
            }),
        })
        .collect();
    for (n, part) in changed.iter().enumerate() {
        for choice in (0..=all).filter(|choice| choice & (1 << n) == 0) {
            let chosen = choice.count_ones() as usize;
            let orders = factorial(chosen) * factorial(m - 1 - chosen) * (SCALE / factorial(m));
            parts[*part as usize] += orders * (values[choice | (1 << n)] - values[choice]);
        }
    }
    parts
}
