//! A transformer of the Llama kind: attention in groups, rotated positions, gated feed-forward.

use crate::gguf::File;
use crate::matrix::{Matrix, dot};

pub struct Model {
    words: Matrix,
    layers: Vec<Layer>,
    norm: Vec<f32>,
    heads: usize,
    /// Several heads share the keys and values of one of these.
    groups: usize,
    width: usize,
    epsilon: f32,
    base: f32,
    context: usize,
}

struct Layer {
    before_attention: Vec<f32>,
    query: Matrix,
    key: Matrix,
    value: Matrix,
    output: Matrix,
    before_gate: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

/// What the model has read: keys and values of each layer, for each token.
pub struct Memory {
    tokens: Vec<u32>,
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
}

impl Model {
    /// # Errors
    /// What the file lacks.
    pub fn load(file: &File) -> Result<Self, String> {
        let architecture = file.text("general.architecture")?;
        if architecture != "llama" {
            return Err(format!("the model is of kind `{architecture}`: only `llama` is known"));
        }
        let number = |name: &str| file.number(&format!("llama.{name}")).map(|n| n as usize);
        let (heads, groups) = (number("attention.head_count")?, number("attention.head_count_kv")?);
        let layers = (0..number("block_count")?).map(|n| Layer::load(file, n)).collect::<Result<_, _>>()?;
        Ok(Self {
            words: file.matrix("token_embd.weight")?,
            layers,
            norm: file.vector("output_norm.weight")?,
            heads,
            groups,
            width: number("rope.dimension_count")?,
            epsilon: file.number("llama.attention.layer_norm_rms_epsilon")? as f32,
            base: file.number("llama.rope.freq_base")? as f32,
            context: number("context_length")?,
        })
    }

    pub fn memory(&self) -> Memory {
        let empty = vec![Vec::new(); self.layers.len()];
        Memory { tokens: Vec::new(), keys: empty.clone(), values: empty }
    }

    /// The most tokens it can have in mind.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Reads `tokens`, of which there is one at least, and gives the likeliest to follow. Of what the memory holds,
    /// only what does not begin the same is read anew.
    pub fn next(&self, memory: &mut Memory, tokens: &[u32]) -> u32 {
        let known =
            memory.tokens.iter().zip(tokens).take_while(|(a, b)| a == b).count().min(tokens.len() - 1);
        memory.forget_after(known, self.groups * self.width);
        let mut states = Vec::with_capacity((tokens.len() - known) * self.words.columns());
        for &token in &tokens[known..] {
            let mut state = vec![0.0; self.words.columns()];
            self.words.row(token as usize, &mut state);
            states.extend(state);
        }
        for (n, layer) in self.layers.iter().enumerate() {
            self.attend(layer, &mut states, known, &mut memory.keys[n], &mut memory.values[n]);
            self.feed(layer, &mut states);
        }
        memory.tokens.extend(&tokens[known..]);
        let last = &states[states.len() - self.words.columns()..];
        let scores = self.words.times(&self.normed(last, &self.norm));
        let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.map_or(0, |(token, _)| token as u32)
    }

    fn attend(
        &self,
        layer: &Layer,
        states: &mut [f32],
        known: usize,
        keys: &mut Vec<f32>,
        values: &mut Vec<f32>,
    ) {
        let input = self.normed(states, &layer.before_attention);
        let (mut queries, mut new_keys) = (layer.query.times(&input), layer.key.times(&input));
        let (wide, shared) = (self.heads * self.width, self.groups * self.width);
        for (n, query) in queries.chunks_exact_mut(wide).enumerate() {
            self.rotate(query, known + n);
        }
        for (n, key) in new_keys.chunks_exact_mut(shared).enumerate() {
            self.rotate(key, known + n);
        }
        keys.extend(new_keys);
        values.extend(layer.value.times(&input));
        let mut seen = vec![0.0; queries.len()];
        for (n, (query, seen)) in queries.chunks_exact(wide).zip(seen.chunks_exact_mut(wide)).enumerate() {
            let positions = (known + n + 1) * shared;
            for head in 0..self.heads {
                let group = head / (self.heads / self.groups) * self.width;
                let of = head * self.width..(head + 1) * self.width;
                look(
                    &query[of.clone()],
                    &keys[..positions],
                    &values[..positions],
                    group,
                    shared,
                    &mut seen[of],
                );
            }
        }
        add(states, &layer.output.times(&seen));
    }

    fn feed(&self, layer: &Layer, states: &mut [f32]) {
        let input = self.normed(states, &layer.before_gate);
        let mut gated = layer.gate.times(&input);
        for (gate, up) in gated.iter_mut().zip(layer.up.times(&input)) {
            *gate = *gate / (1.0 + (-*gate).exp()) * up;
        }
        add(states, &layer.down.times(&gated));
    }

    fn normed(&self, states: &[f32], weights: &[f32]) -> Vec<f32> {
        let mut normed = Vec::with_capacity(states.len());
        for state in states.chunks_exact(weights.len()) {
            let mean = dot(state, state) / weights.len() as f32;
            let scale = (mean + self.epsilon).sqrt().recip();
            normed.extend(state.iter().zip(weights).map(|(x, weight)| x * scale * weight));
        }
        normed
    }

    /// Turns each pair of numbers of each head by an angle that grows with the position.
    fn rotate(&self, vector: &mut [f32], position: usize) {
        for head in vector.chunks_exact_mut(self.width) {
            for (n, pair) in head.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let angle = position as f32 * self.base.powf(-((2 * n) as f32) / self.width as f32);
                let ([x, y], (sin, cos)) = (*pair, angle.sin_cos());
                *pair = [x * cos - y * sin, x * sin + y * cos];
            }
        }
    }
}

impl Layer {
    fn load(file: &File, n: usize) -> Result<Self, String> {
        let matrix = |name: &str| file.matrix(&format!("blk.{n}.{name}.weight"));
        let vector = |name: &str| file.vector(&format!("blk.{n}.{name}.weight"));
        Ok(Self {
            before_attention: vector("attn_norm")?,
            query: matrix("attn_q")?,
            key: matrix("attn_k")?,
            value: matrix("attn_v")?,
            output: matrix("attn_output")?,
            before_gate: vector("ffn_norm")?,
            gate: matrix("ffn_gate")?,
            up: matrix("ffn_up")?,
            down: matrix("ffn_down")?,
        })
    }
}

impl Memory {
    fn forget_after(&mut self, tokens: usize, width: usize) {
        self.tokens.truncate(tokens);
        for layer in self.keys.iter_mut().chain(&mut self.values) {
            layer.truncate(tokens * width);
        }
    }
}

/// One head's look at everything up to here: a mean of the values, weighted by how well their keys answer the query.
fn look(query: &[f32], keys: &[f32], values: &[f32], group: usize, stride: usize, into: &mut [f32]) {
    let width = query.len();
    let scale = (width as f32).sqrt().recip();
    let mut weights: Vec<f32> =
        keys.chunks_exact(stride).map(|key| dot(query, &key[group..group + width]) * scale).collect();
    let most = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    weights.iter_mut().for_each(|weight| *weight = (*weight - most).exp());
    let sum: f32 = weights.iter().sum();
    for (weight, value) in weights.iter().zip(values.chunks_exact(stride)) {
        for (seen, value) in into.iter_mut().zip(&value[group..group + width]) {
            *seen += weight / sum * value;
        }
    }
}

fn add(states: &mut [f32], more: &[f32]) {
    for (state, more) in states.iter_mut().zip(more) {
        *state += more;
    }
}
