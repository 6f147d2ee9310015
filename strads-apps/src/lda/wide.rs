//! Sixteen lanes at once: the few operations that the samplers' inner loops are made of.
//!
//! [`Wide`] has two implementations that agree to the last bit: [`Portable`], which says what the
//! operations are, and AVX-512, which [`widest`] takes where the processor has it.

#[cfg(target_arch = "x86_64")]
use pulp::{cast, x86::V4};

use super::counts::Chunk;

/// The children of a node, and the width in which kernels work.
pub const LANES: usize = 16;

/// As many `f32` as a wide register holds.
pub type Lanes = [f32; LANES];

/// Operations on sixteen lanes.
pub trait Wide: Copy {
    /// `counts · φ` for sixteen topics of a document. One token of `own.0` is left out, and φ of
    /// that topic is `own.1`.
    fn masses(self, chunk: &Chunk, phi: &[f32], own: (u32, f32)) -> Lanes;
    /// `(counts + α) · φ` for sixteen topics in order; the lane `own.0`, if there is one, is `own.1`.
    fn masses_in_order(self, counts: &Lanes, phi: &Lanes, alpha: f32, own: (u32, f32)) -> Lanes;
    /// The sum of each lane.
    fn add(self, a: &Lanes, b: &Lanes) -> Lanes;
    /// Inclusive running sums, in four doubling steps.
    fn running_sums(self, node: &Lanes) -> Lanes;
    /// The lane at `mark` of the line on which the lanes of `node` are laid end to end, given
    /// their running sums; if rounding put the mark behind all of them, the last one that is
    /// positive.
    fn lane_at(self, node: &Lanes, ends: &Lanes, mark: f32) -> usize;
    /// Which lanes hold `topic`, a bit each.
    fn matches(self, topics: &[u32; LANES], topic: u32) -> u32;

    /// The sum of all lanes.
    #[inline(always)]
    fn sum(self, node: &Lanes) -> f32 {
        self.running_sums(node)[LANES - 1]
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
    fn masses_in_order(self, counts: &Lanes, phi: &Lanes, alpha: f32, own: (u32, f32)) -> Lanes {
        std::array::from_fn(|lane| {
            let mass = (counts[lane] + alpha) * phi[lane];
            if lane as u32 == own.0 { own.1 } else { mass }
        })
    }

    #[inline(always)]
    fn add(self, a: &Lanes, b: &Lanes) -> Lanes {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn running_sums(self, node: &Lanes) -> Lanes {
        let mut sums = *node;
        for step in [1, 2, 4, 8] {
            let before = sums;
            for lane in step..LANES {
                sums[lane] += before[lane - step];
            }
        }
        sums
    }

    #[inline(always)]
    fn lane_at(self, node: &Lanes, ends: &Lanes, mark: f32) -> usize {
        let bits = |test: &dyn Fn(usize) -> bool| {
            (0..LANES).fold(0u32, |bits, lane| bits | u32::from(test(lane)) << lane)
        };
        pick(
            bits(&|lane| ends[lane] <= mark),
            bits(&|lane| node[lane] > 0.0),
        )
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
    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a gather; plain loops take three times as long a token"
    )]
    fn masses(self, chunk: &Chunk, phi: &[f32], own: (u32, f32)) -> Lanes {
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
        cast(f._mm512_mul_ps(counts, phi))
    }

    #[inline(always)]
    fn masses_in_order(self, counts: &Lanes, phi: &Lanes, alpha: f32, own: (u32, f32)) -> Lanes {
        let f = self.avx512f;
        let counts = f._mm512_add_ps(cast(*counts), f._mm512_set1_ps(alpha));
        let masses = f._mm512_mul_ps(counts, cast(*phi));
        let lanes = cast(std::array::from_fn::<u32, LANES, _>(|lane| lane as u32));
        let is_own = f._mm512_cmpeq_epi32_mask(lanes, f._mm512_set1_epi32(own.0.cast_signed()));
        cast(f._mm512_mask_mov_ps(masses, is_own, f._mm512_set1_ps(own.1)))
    }

    #[inline(always)]
    fn add(self, a: &Lanes, b: &Lanes) -> Lanes {
        cast(self.avx512f._mm512_add_ps(cast(*a), cast(*b)))
    }

    #[inline(always)]
    fn running_sums(self, node: &Lanes) -> Lanes {
        let f = self.avx512f;
        let none = f._mm512_setzero_si512();
        let mut sums = cast(*node);
        // `alignr` by 16 − n moves every lane n up and fills in zeros.
        sums = f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<15>(cast(sums), none)));
        sums = f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<14>(cast(sums), none)));
        sums = f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<12>(cast(sums), none)));
        sums = f._mm512_add_ps(sums, cast(f._mm512_alignr_epi32::<8>(cast(sums), none)));
        cast(sums)
    }

    #[inline(always)]
    fn lane_at(self, node: &Lanes, ends: &Lanes, mark: f32) -> usize {
        const AT_MOST: i32 = std::arch::x86_64::_CMP_LE_OQ;
        const ABOVE: i32 = std::arch::x86_64::_CMP_GT_OQ;
        let f = self.avx512f;
        let mark = f._mm512_set1_ps(mark);
        let passed = f._mm512_cmp_ps_mask::<AT_MOST>(cast(*ends), mark);
        let positive = f._mm512_cmp_ps_mask::<ABOVE>(cast(*node), f._mm512_setzero_ps());
        pick(u32::from(passed), u32::from(positive))
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
            let in_order = wide.masses_in_order(&chunk.counts, &lanes, 0.5, (7, 0.125));
            let ends = wide.running_sums(&masses);
            let lane = wide.lane_at(&masses, &ends, mark * wide.sum(&masses));
            let floats = [masses, in_order, wide.add(&masses, &in_order), ends];
            let mut bits: Vec<u32> = floats.as_flattened().iter().map(|x| x.to_bits()).collect();
            bits.extend([lane as u32, wide.matches(&chunk.topics, chunk.topics[5])]);
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
            let lane = Portable.lane_at(&node, &Portable.running_sums(&node), mark);
            prop_assert!(node[lane] > 0.0);
        }
    }
}
