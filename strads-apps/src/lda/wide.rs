//! Sixteen lanes at once: the few operations that the samplers' inner loops are made of.
//!
//! [`Wide`] has two implementations that agree to the last bit: [`Portable`], which says what the
//! operations are, and AVX-512, which [`widest`] takes where the processor has it.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m512, __m512i, _CMP_GT_OQ as ABOVE, _CMP_LE_OQ as AT_MOST, _CMP_LT_OQ as BELOW,
};

#[cfg(target_arch = "x86_64")]
use pulp::{cast, x86::V4};

use super::counts::{Chunk, Counts};

/// The children of a node, and the width in which kernels work.
pub const LANES: usize = 16;

/// As many `f32` as a wide register holds.
pub type Lanes = [f32; LANES];

/// Operations on sixteen lanes.
pub trait Wide: Copy {
    /// Sixteen values in a register.
    type V: Copy;
    /// Sixteen tallies in a register.
    type Tally: Copy;

    /// From memory.
    fn load(self, lanes: &Lanes) -> Self::V;
    /// To memory.
    fn store(self, v: Self::V) -> Lanes;
    /// One value in all lanes.
    fn splat(self, value: f32) -> Self::V;
    /// The last lane's value in all lanes.
    fn last(self, v: Self::V) -> Self::V;
    /// Lane by lane.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// Lane by lane.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// Lane by lane.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `(counts + α) · φ` for sixteen topics in order.
    fn masses_in_order(self, counts: &Counts, phi: &Lanes, alpha: Self::V) -> Self::V;
    /// `counts · φ` for sixteen topics of a document. One token of `own.0` is left out, and φ of
    /// that topic is `own.1`.
    fn masses(self, chunk: &Chunk, phi: &[f32], own: (u32, f32)) -> Self::V;
    /// Inclusive running sums, in four doubling steps.
    fn running_sums(self, v: Self::V) -> Self::V;
    /// The lane at `mark` (the same in all lanes) of the line on which the lanes of `v` are laid end to
    /// end, given their running sums; if rounding put the mark behind all of them, the last one that
    /// is positive.
    fn lane_at(self, v: Self::V, ends: Self::V, mark: Self::V) -> usize;
    /// Nothing in all lanes.
    fn no_tally(self) -> Self::Tally;
    /// One more in lanes whose running sum is at most `mark` and not yet all.
    fn tally(self, tally: Self::Tally, sums: Self::V, all: Self::V, mark: Self::V) -> Self::Tally;
    /// To memory.
    fn tallied(self, tally: Self::Tally) -> [u32; LANES];
    /// Which lanes hold `topic`, a bit each.
    fn matches(self, topics: &[u32; LANES], topic: u32) -> u32;

    /// The lanes with one of them replaced, to be stored as a whole: reading a register's width right
    /// after a part of it was written stalls.
    fn with_lane(self, node: &Lanes, lane: usize, value: f32) -> Lanes;

    /// The sum of all lanes.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        self.store(self.running_sums(v))[LANES - 1]
    }
}

/// Work that is compiled once for each width.
pub trait Work {
    /// What comes out.
    type Output;
    /// Does it. To be `#[inline(always)]`, like everything that it calls.
    fn run<W: Wide>(self, wide: W) -> Self::Output;
}

/// Does `work` with the widest instructions that the processor has.
pub fn widest<T: Work>(work: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(v4) = V4::try_new() {
        return v4.vectorize(OnV4(v4, work));
    }
    work.run(Portable)
}

#[cfg(target_arch = "x86_64")]
struct OnV4<T>(V4, T);

#[cfg(target_arch = "x86_64")]
impl<T: Work> pulp::NullaryFnOnce for OnV4<T> {
    type Output = T::Output;
    #[inline(always)]
    fn call(self) -> T::Output {
        self.1.run(self.0)
    }
}

/// Plain loops.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Wide for Portable {
    type V = Lanes;
    type Tally = [u32; LANES];

    #[inline(always)]
    fn load(self, lanes: &Lanes) -> Lanes {
        *lanes
    }

    #[inline(always)]
    fn store(self, v: Lanes) -> Lanes {
        v
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Lanes {
        [value; LANES]
    }

    #[inline(always)]
    fn last(self, v: Lanes) -> Lanes {
        [v[LANES - 1]; LANES]
    }

    #[inline(always)]
    fn add(self, a: Lanes, b: Lanes) -> Lanes {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: Lanes, b: Lanes) -> Lanes {
        std::array::from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Lanes, b: Lanes) -> Lanes {
        std::array::from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn masses_in_order(self, counts: &Counts, phi: &Lanes, alpha: Lanes) -> Lanes {
        std::array::from_fn(|lane| (f32::from(counts[lane]) + alpha[lane]) * phi[lane])
    }

    #[inline(always)]
    fn masses(self, chunk: &Chunk, phi: &[f32], own: (u32, f32)) -> Lanes {
        let last = phi.len() - 1;
        std::array::from_fn(|lane| {
            if chunk.topics[lane] == own.0 {
                (chunk.counts[lane] - 1.0) * own.1
            } else {
                // Free places have count 0 and any φ: clamping costs less than branching.
                chunk.counts[lane] * phi[(chunk.topics[lane] as usize).min(last)]
            }
        })
    }

    #[inline(always)]
    fn running_sums(self, v: Lanes) -> Lanes {
        let mut sums = v;
        for step in [1, 2, 4, 8] {
            let before = sums;
            for lane in step..LANES {
                sums[lane] += before[lane - step];
            }
        }
        sums
    }

    #[inline(always)]
    fn lane_at(self, v: Lanes, ends: Lanes, mark: Lanes) -> usize {
        let bits = |test: &dyn Fn(usize) -> bool| {
            (0..LANES).fold(0u32, |bits, lane| bits | u32::from(test(lane)) << lane)
        };
        pick(
            bits(&|lane| ends[lane] <= mark[lane]),
            bits(&|lane| v[lane] > 0.0),
        )
    }

    #[inline(always)]
    fn with_lane(self, node: &Lanes, lane: usize, value: f32) -> Lanes {
        std::array::from_fn(|at| if at == lane { value } else { node[at] })
    }

    #[inline(always)]
    fn no_tally(self) -> [u32; LANES] {
        [0; LANES]
    }

    #[inline(always)]
    fn tally(self, tally: [u32; LANES], sums: Lanes, all: Lanes, mark: Lanes) -> [u32; LANES] {
        std::array::from_fn(|lane| {
            tally[lane] + u32::from(sums[lane] <= mark[lane] && sums[lane] < all[lane])
        })
    }

    #[inline(always)]
    fn tallied(self, tally: [u32; LANES]) -> [u32; LANES] {
        tally
    }

    #[inline(always)]
    fn matches(self, topics: &[u32; LANES], topic: u32) -> u32 {
        (0..LANES).fold(0, |bits, lane| {
            bits | u32::from(topics[lane] == topic) << lane
        })
    }
}

#[cfg(target_arch = "x86_64")]
impl Wide for V4 {
    type V = __m512;
    type Tally = __m512i;

    #[inline(always)]
    fn load(self, lanes: &Lanes) -> __m512 {
        cast(*lanes)
    }

    #[inline(always)]
    fn store(self, v: __m512) -> Lanes {
        cast(v)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        self.avx512f._mm512_set1_ps(value)
    }

    #[inline(always)]
    fn last(self, v: __m512) -> __m512 {
        let f = self.avx512f;
        f._mm512_permutexvar_ps(f._mm512_set1_epi32(LANES as i32 - 1), v)
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        self.avx512f._mm512_add_ps(a, b)
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        self.avx512f._mm512_sub_ps(a, b)
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        self.avx512f._mm512_mul_ps(a, b)
    }

    #[inline(always)]
    fn masses_in_order(self, counts: &Counts, phi: &Lanes, alpha: __m512) -> __m512 {
        let f = self.avx512f;
        let counts = f._mm512_cvtepi32_ps(f._mm512_cvtepu16_epi32(cast(*counts)));
        f._mm512_mul_ps(f._mm512_add_ps(counts, alpha), cast(*phi))
    }

    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a gather; plain loops take three times as long a token"
    )]
    fn masses(self, chunk: &Chunk, phi: &[f32], own: (u32, f32)) -> __m512 {
        let f = self.avx512f;
        assert!(!phi.is_empty() && phi.len() <= i32::MAX as usize);
        let topics = cast(chunk.topics);
        let last = f._mm512_set1_epi32(phi.len() as i32 - 1);
        let at = f._mm512_min_epu32(topics, last);
        // SAFETY: `phi` is not empty and every index is at most that of its last element.
        let phi = unsafe { f._mm512_i32gather_ps::<4>(at, phi.as_ptr().cast()) };
        let own_topic = f._mm512_set1_epi32(own.0.cast_signed());
        let is_own = f._mm512_cmpeq_epi32_mask(topics, own_topic);
        let counts = cast(chunk.counts);
        let counts = f._mm512_mask_sub_ps(counts, is_own, counts, f._mm512_set1_ps(1.0));
        let phi = f._mm512_mask_mov_ps(phi, is_own, f._mm512_set1_ps(own.1));
        f._mm512_mul_ps(counts, phi)
    }

    #[inline(always)]
    fn running_sums(self, v: __m512) -> __m512 {
        let f = self.avx512f;
        let none = f._mm512_setzero_si512();
        // `alignr` by 16 − n moves every lane n up and fills in zeros.
        let sums = f._mm512_add_ps(v, cast(f._mm512_alignr_epi32::<15>(cast(v), none)));
        let sums = f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<14>(cast(sums), none)));
        let sums = f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<12>(cast(sums), none)));
        f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<8>(cast(sums), none)))
    }

    #[inline(always)]
    fn lane_at(self, v: __m512, ends: __m512, mark: __m512) -> usize {
        let f = self.avx512f;
        let passed = f._mm512_cmp_ps_mask::<AT_MOST>(ends, mark);
        let positive = f._mm512_cmp_ps_mask::<ABOVE>(v, f._mm512_setzero_ps());
        pick(u32::from(passed), u32::from(positive))
    }

    #[inline(always)]
    fn with_lane(self, node: &Lanes, lane: usize, value: f32) -> Lanes {
        // Left to itself, the compiler moves the lanes one by one.
        let f = self.avx512f;
        let is_lane = 1u16 << (lane % LANES);
        cast(f._mm512_mask_mov_ps(cast(*node), is_lane, f._mm512_set1_ps(value)))
    }

    #[inline(always)]
    fn no_tally(self) -> __m512i {
        self.avx512f._mm512_setzero_si512()
    }

    #[inline(always)]
    fn tally(self, tally: __m512i, sums: __m512, all: __m512, mark: __m512) -> __m512i {
        let f = self.avx512f;
        let below = f._mm512_cmp_ps_mask::<BELOW>(sums, all);
        let passed = f._mm512_mask_cmp_ps_mask::<AT_MOST>(below, sums, mark);
        f._mm512_mask_add_epi32(tally, passed, tally, f._mm512_set1_epi32(1))
    }

    #[inline(always)]
    fn tallied(self, tally: __m512i) -> [u32; LANES] {
        cast(tally)
    }

    #[inline(always)]
    fn matches(self, topics: &[u32; LANES], topic: u32) -> u32 {
        let f = self.avx512f;
        let topic = f._mm512_set1_epi32(topic.cast_signed());
        u32::from(f._mm512_cmpeq_epi32_mask(cast(*topics), topic))
    }
}

/// The first positive lane that was not passed, else the last positive one, else lane 0.
#[inline(always)]
fn pick(passed: u32, positive: u32) -> usize {
    let open = positive & !passed;
    let lane = if open != 0 {
        open.trailing_zeros()
    } else {
        (positive | 1).ilog2()
    };
    lane as usize
}

/// Where a mark falls among masses in rows and lanes: `sums` are the running sums of the rows along each
/// lane, and the mark is at the share `uniform` of all mass. The row, and the lane.
#[inline(always)]
pub fn locate<W: Wide>(wide: W, sums: &[W::V], uniform: f32) -> (usize, usize) {
    let all = sums[sums.len() - 1];
    let ends = wide.running_sums(all);
    let mark = wide.mul(wide.splat(uniform), wide.last(ends));
    locate_mark(wide, sums.iter().copied(), all, ends, mark)
}

/// As [`locate`], for a mark in all lanes, where `all` are the lanes' masses and `ends` their running sums.
///
/// The lane first, then the row in it: sums across a register are dear. Each lane looks for its own row
/// before it is known which lane it is.
#[inline(always)]
pub fn locate_mark<W: Wide>(
    wide: W,
    sums: impl Iterator<Item = W::V>,
    all: W::V,
    ends: W::V,
    mark: W::V,
) -> (usize, usize) {
    let lane = wide.lane_at(all, ends, mark);
    let rest = wide.sub(mark, wide.sub(ends, all));
    let mut rows = wide.no_tally();
    for sum in sums {
        rows = wide.tally(rows, sum, all, rest);
    }
    (wide.tallied(rows)[lane % LANES] as usize, lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything the operations can say about some lanes, as bits.
    struct Everything(Chunk, Vec<f32>, f32);

    impl Work for Everything {
        type Output = Vec<u32>;
        #[inline(always)]
        fn run<W: Wide>(self, wide: W) -> Vec<u32> {
            let Self(chunk, phi, mark) = self;
            let masses = wide.masses(&chunk, &phi, (chunk.topics[3], 0.25));
            let lanes = std::array::from_fn(|lane| phi[lane % phi.len()]);
            let counts = chunk.counts.map(|count| count as u16);
            let in_order = wide.masses_in_order(&counts, &lanes, wide.splat(0.5));
            let both = wide.add(masses, in_order);
            let ends = wide.running_sums(both);
            let (row, lane) = locate(wide, &[masses, both], mark);
            let mut bits: Vec<u32> = [masses, in_order, both, ends]
                .iter()
                .flat_map(|&v| wide.store(v))
                .map(f32::to_bits)
                .collect();
            bits.extend([row as u32, lane as u32, wide.sum(both).to_bits()]);
            bits.extend(wide.with_lane(&lanes, 5, mark).map(f32::to_bits));
            bits.push(wide.matches(&chunk.topics, chunk.topics[5]));
            bits
        }
    }

    proptest! {
        /// Wide instructions and plain loops give the same bits: a model does not depend on the
        /// processor.
        #[test]
        fn widths_agree(
            topics in prop::array::uniform16(0u32..40),
            counts in prop::array::uniform16(0u8..9),
            phi in prop::collection::vec(0.0f32..1.0, 1..40),
            mark in 0.0f32..1.1,
        ) {
            let chunk = Chunk { topics, counts: counts.map(f32::from) };
            let wide = widest(Everything(chunk, phi.clone(), mark));
            prop_assert_eq!(wide, Everything(chunk, phi, mark).run(Portable));
        }

        /// A draw lands on a lane with weight if there is one, wherever the mark is.
        #[test]
        fn draws_land_on_weight(
            counts in prop::array::uniform16(0u8..2),
            mark in -0.1f32..20.0,
        ) {
            prop_assume!(counts.iter().any(|&count| count > 0));
            let node = counts.map(f32::from);
            let lane = Portable.lane_at(node, Portable.running_sums(node), [mark; LANES]);
            prop_assert!(node[lane] > 0.0);
        }
    }
}
