# SPDX-License-Identifier: Apache-2.0
"""The mistakes that `run.py` plants, one at a time, and the tests that must notice.

`public` names the code in which the mistake was found; the others are our own.
"""

from typing import NamedTuple

T = "dropout_jax/transforms/"
THEORY = "dropout_jax/theory/"


class Mutation(NamedTuple):
    """One mistake.

    Attributes:
      what: the mistake, in words.
      file: where it is planted.
      old: text that occurs there once.
      new: what stands there instead.
      tests: test files that are run, under tests/.
      public: where it was found, if in published code.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    public: str = ""


MOMENTS = "transforms/test_moments.py"
CONTRACT = "transforms/test_contract.py"
DROPOUT = "transforms/test_dropout.py"
NOISE = "transforms/test_noise.py"
BITS = "transforms/test_bits.py"
KL = "transforms/test_kl.py"
STRUCTURED = "transforms/test_structured.py"
SELF = "transforms/test_self_normalising.py"
LOGIT = "transforms/test_logit_normal.py"
CONCRETE = "transforms/test_concrete.py"
WEIGHTS = "transforms/test_weights.py"
SCHEDULES = "transforms/test_schedules.py"
LINEAR = "theory/test_linear_theory.py"
ADAPTIVE = "theory/test_adaptive.py"
PROPAGATION = "theory/test_propagation.py"

MUTATIONS = (
    # --- the Bernoulli mask -------------------------------------------------------
    Mutation(
        "keep and drop swapped",
        T + "bernoulli.py",
        "jnp.where(drawn < keep_prob, scaled",
        "jnp.where(drawn < rate, scaled",
        (DROPOUT, MOMENTS),
    ),
    Mutation(
        "survivors not rescaled",
        T + "bernoulli.py",
        "return 1.0 / jnp.where(keep_prob > 0.0, keep_prob, 1.0)",
        "return jnp.ones_like(keep_prob)",
        (DROPOUT, MOMENTS),
    ),
    Mutation(
        "dropped slots multiplied by 0 instead of selected: NaN stays",
        T + "bernoulli.py",
        "kept = jnp.where(drawn < keep_prob, scaled, jnp.zeros((), dtype))",
        "kept = scaled * jnp.where(drawn < keep_prob, 1.0, 0.0).astype(dtype)",
        (DROPOUT,),
        "PyTorch on CPU, pytorch#59421",
    ),
    Mutation(
        "division by 0 at rate 1: the gradient is NaN",
        T + "bernoulli.py",
        "return 1.0 / jnp.where(keep_prob > 0.0, keep_prob, 1.0)",
        "return 1.0 / keep_prob",
        (DROPOUT,),
        "Equinox",
    ),
    Mutation(
        "the rate gets a gradient",
        T + "contract.py",
        'return jax.lax.stop_gradient(parameter("rate", rate, x))',
        'return parameter("rate", rate, x)',
        (DROPOUT,),
    ),
    Mutation(
        "the classic form not scaled at test time",
        T + "bernoulli.py",
        "scaled = x.astype(dtype) * keep_prob.astype(dtype)",
        "scaled = x.astype(dtype)",
        (DROPOUT, CONTRACT),
    ),
    Mutation(
        "one key for every call and layer",
        T + "bernoulli.py",
        "return _drop(key, jnp.asarray(x), rate, scaling, axes)",
        "return _drop(jax.random.key(0), jnp.asarray(x), rate, scaling, axes)",
        (CONTRACT, MOMENTS),
        "d2l, JAX tab: a default key evaluated once",
    ),
    Mutation(
        "moments: variance without the gain",
        T + "bernoulli.py",
        "variance=spread * gain**2,",
        "variance=spread,",
        (MOMENTS,),
    ),
    Mutation(
        "shared draws: independent elements in the covariance",
        T + "bernoulli.py",
        "both = jnp.minimum(k_a, k_b) - k_a * k_b",
        "both = 0.0 * k_a",
        (MOMENTS,),
    ),
    # --- the contract -------------------------------------------------------------
    Mutation(
        "rates below 0, above 1 and NaN accepted",
        T + "contract.py",
        "if not (math.isfinite(entry) and low <= entry <= high):",
        "if entry is None:",
        (CONTRACT,),
        "Flax; Keras RNN takes 1.0 for off",
    ),
    Mutation(
        "integers accepted",
        T + "contract.py",
        "if not jnp.issubdtype(dtype, jnp.inexact):",
        "if dtype is None:",
        (CONTRACT,),
    ),
    Mutation(
        "the draw shared along all other axes",
        T + "contract.py",
        "1 if i in shared_axes else n for i",
        "1 if i not in shared_axes and shared_axes else n for i",
        (CONTRACT, MOMENTS),
    ),
    Mutation(
        "noise in the precision of the input",
        T + "contract.py",
        "return jnp.dtype(jnp.float32) if narrow else x.dtype",
        "return x.dtype",
        (CONTRACT,),
    ),
    # --- bits ---------------------------------------------------------------------
    Mutation(
        "threefry: a wrong rotation",
        T + "bits.py",
        "((13, 15, 26, 6)",
        "((13, 15, 26, 7)",
        (BITS,),
    ),
    Mutation(
        "uniforms: one bit too many shifted out",
        T + "bits.py",
        "bits(key, shape), jnp.uint32(9))",
        "bits(key, shape), jnp.uint32(10))",
        (BITS, DROPOUT),
    ),
    Mutation(
        "normals without sqrt(2)",
        T + "bits.py",
        "return jnp.float32(math.sqrt(2.0)) * lax.erf_inv(u)",
        "return lax.erf_inv(u)",
        (BITS, MOMENTS),
    ),
    # --- Gaussian and variational -------------------------------------------------
    Mutation(
        "standard deviation alpha instead of its root",
        T + "gaussian.py",
        "spread = jnp.sqrt(alpha) if std is None else spread",
        "spread = alpha if std is None else spread",
        (NOISE, MOMENTS),
        "j-min/Dropouts and a copy of it",
    ),
    Mutation(
        "noise without its mean: x e for x (1 + e)",
        T + "gaussian.py",
        "return scale(x, mean + std * drawn)",
        "return scale(x, std * drawn)",
        (NOISE, MOMENTS),
        "j-min/Dropouts, variational",
    ),
    Mutation(
        "alpha inverted",
        T + "gaussian.py",
        "return rate / (1.0 - rate)",
        "return (1.0 - rate) / rate",
        (NOISE, MOMENTS),
    ),
    Mutation(
        "noisy at evaluation",
        T + "gaussian.py",
        "    if not deterministic:\n        spread",
        "    if key is not None or not deterministic:\n        spread",
        (NOISE, "nn/test_noise_layer.py", CONTRACT),
        "j-min/Dropouts: `if self.train():` is always true",
    ),
    Mutation(
        "the variance alpha used as standard deviation",
        T + "variational.py",
        "std = jnp.exp(0.5 * log_alpha)",
        "std = jnp.exp(log_alpha)",
        (NOISE, MOMENTS),
        "gngdb/variational-dropout, type A beside type B",
    ),
    Mutation(
        "log alpha bounded by alpha",
        T + "variational.py",
        "return jnp.minimum(log_alpha, max_log_alpha)",
        "return jnp.minimum(log_alpha, jnp.exp(max_log_alpha))",
        (NOISE,),
        "j-min/Dropouts#3",
    ),
    # --- KLs ----------------------------------------------------------------------
    Mutation(
        "-KL returned for KL",
        T + "kl.py",
        "return fall + 0.5 * jax.nn.softplus(-log_alpha)",
        "return -fall - 0.5 * jax.nn.softplus(-log_alpha)",
        (KL,),
        "edward2 LogUniformKLDivergence",
    ),
    Mutation(
        "the gradient of the exact KL with the wrong sign",
        T + "kl.py",
        "-root * dawsn(root) * tangent",
        "root * dawsn(root) * tangent",
        (KL,),
    ),
    Mutation(
        "Kingma's cubic with c2 positive",
        T + "kl.py",
        "1.16145124, -1.50204118",
        "1.16145124, 1.50204118",
        (KL,),
    ),
    Mutation(
        "Gaussian KL: distance of the means not squared",
        T + "kl.py",
        "return 0.5 * (width + shift**2)",
        "return 0.5 * (width + jnp.abs(shift))",
        (KL,),
    ),
    # --- structured ---------------------------------------------------------------
    Mutation(
        "spatial dropout: one draw per position for all channels",
        T + "structured.py",
        "axes = _all_but(x, shared_axes, **kept)\n    return dropout(",
        "axes = (channel_axis, *shared_axes)\n    return dropout(",
        (STRUCTURED, MOMENTS),
        "the textbook's section 9.4",
    ),
    Mutation(
        "stochastic depth drops elements",
        T + "structured.py",
        "axes = _all_but(x, shared_axes, batch_axis=batch_axis)\n    return dropout(",
        "axes = tuple(shared_axes)\n    return dropout(",
        (STRUCTURED, MOMENTS),
    ),
    Mutation(
        "depth rates start at 0",
        T + "structured.py",
        "jnp.arange(1, depth + 1, dtype",
        "jnp.arange(0, depth, dtype",
        (STRUCTURED,),
    ),
    Mutation(
        "DropBlock: the paper's seed rate for the exact one",
        T + "dropblock_rate.py",
        'if method == "paper":',
        "if method:",
        (STRUCTURED, MOMENTS),
    ),
    Mutation(
        "DropBlock: seed rate for the places where blocks fit, seeds everywhere",
        T + "dropblock_rate.py",
        "first, last = max(0, max(a, b) - block + 1), min(side - block, a, b)",
        "first, last = max(0, max(a, b) - block // 2), min(side - 1, a + block // 2)",
        (STRUCTURED, MOMENTS),
        "timm drop_block_2d",
    ),
    Mutation(
        "DropBlock: blocks one element short",
        T + "dropblock.py",
        "for start in range(block)",
        "for start in range(1, block)",
        (STRUCTURED, MOMENTS),
    ),
    Mutation(
        "DropBlock: rescaled by 1 - rate everywhere",
        T + "dropblock.py",
        "        keep_prob = _keep_prob(gamma, x.shape, axes, block)\n    else:",
        "        keep_prob = (1.0 - rate) * jnp.ones_like(x)\n    else:",
        (STRUCTURED, MOMENTS),
    ),
    # --- continuous noise ---------------------------------------------------------
    Mutation(
        "alpha dropout: dropped units set to 0",
        T + "alpha.py",
        "dropped = _SATURATION * jnp.sqrt(",
        "dropped = 0.0 * jnp.sqrt(",
        (SELF, MOMENTS),
    ),
    Mutation(
        "alpha dropout: infinite at rate 1",
        T + "alpha.py",
        "keep_prob = jnp.where(rate < 1.0, 1.0 - rate, 1.0)",
        "keep_prob = 1.0 - rate",
        (SELF,),
        "Keras AlphaDropout",
    ),
    Mutation(
        "log-normal noise of median 1 instead of mean 1",
        T + "lognormal.py",
        "jnp.exp(jnp.sqrt(variance) * drawn - 0.5 * variance)",
        "jnp.exp(jnp.sqrt(variance) * drawn)",
        (SELF, MOMENTS),
    ),
    Mutation(
        "additive noise of standard deviation std**2",
        T + "additive.py",
        "noise = std * bits.normal(",
        "noise = std**2 * bits.normal(",
        (SELF, MOMENTS),
    ),
    Mutation(
        "logit-normal: no gradient through the normaliser",
        T + "logit_normal.py",
        "factor = factor / logit_normal_integrals.mean(location, width)",
        "factor = factor / jax.lax.stop_gradient("
        "logit_normal_integrals.mean(location, width))",
        (LOGIT,),
    ),
    # --- concrete -----------------------------------------------------------------
    Mutation(
        "concrete: keeps with the rate",
        T + "concrete.py",
        "soft = jax.nn.sigmoid(-logit / temperature)",
        "soft = jax.nn.sigmoid(logit / temperature)",
        (CONCRETE, MOMENTS),
    ),
    Mutation(
        "concrete: the published, biased gain for the unbiased one",
        T + "concrete.py",
        "    if unbiased:\n        return 1.0 / _mean",
        "    if unbiased is None:\n        return 1.0 / _mean",
        (CONCRETE, MOMENTS),
        "yaringal/ConcreteDropout",
    ),
    Mutation(
        "concrete: entropy with the wrong sign",
        T + "concrete.py",
        "total = weights + jnp.sum(kl_bernoulli(logit))",
        "total = weights - jnp.sum(kl_bernoulli(logit))",
        (CONCRETE,),
        "yaringal/ConcreteDropout#3",
    ),
    Mutation(
        "concrete: the factor 2 of the squared error kept for cross-entropy",
        T + "concrete.py",
        '(1.0 if likelihood == "cross_entropy"',
        '(2.0 if likelihood == "cross_entropy"',
        (CONCRETE,),
        "yaringal/ConcreteDropout#8",
    ),
    Mutation(
        "concrete: no gradient through the rounded mask",
        T + "concrete.py",
        "return soft + jax.lax.stop_gradient((logit < 0.0) - soft)",
        "return (logit < 0.0).astype(soft.dtype)",
        (CONCRETE,),
    ),
    # --- weights ------------------------------------------------------------------
    Mutation(
        "local reparameterisation: variance for standard deviation",
        T + "noisy_linear.py",
        "jnp.where(spread > 0.0, jnp.sqrt(safe), 0.0) * drawn",
        "jnp.where(spread > 0.0, safe, 0.0) * drawn",
        (WEIGHTS, MOMENTS),
    ),
    Mutation(
        "local reparameterisation: inputs not squared",
        T + "noisy_linear.py",
        "spread = linear(jnp.square(wide), variance.astype(dtype))",
        "spread = linear(jnp.abs(wide), variance.astype(dtype))",
        (WEIGHTS, MOMENTS),
    ),
    Mutation(
        "local reparameterisation: infinite slope of the root at 0",
        T + "noisy_linear.py",
        "safe = jnp.where(spread > 0.0, spread, 1.0)",
        "safe = spread",
        (WEIGHTS,),
    ),
    Mutation(
        "sparsity: signal removed and noise kept",
        T + "weight_noise.py",
        "return weight_log_alpha(kernel, log_sigma2) >= threshold",
        "return weight_log_alpha(kernel, log_sigma2) < threshold",
        (WEIGHTS,),
    ),
    Mutation(
        "log alpha from |theta| instead of theta**2",
        T + "weight_noise.py",
        "squares = jnp.square(jnp.asarray(kernel, jnp.float32))",
        "squares = jnp.abs(jnp.asarray(kernel, jnp.float32))",
        (WEIGHTS, MOMENTS),
    ),
    Mutation(
        "DropConnect: separate masks drawn once",
        T + "noisy_linear.py",
        "weights = sample((*x.shape[:-1], *kernel.shape)).astype(dtype)",
        "weights = jnp.broadcast_to(sample(kernel.shape), "
        "(*x.shape[:-1], *kernel.shape)).astype(dtype)",
        (WEIGHTS, MOMENTS),
    ),
    # --- recurrent ----------------------------------------------------------------
    Mutation(
        "zoneout with 1 - rate",
        T + "zoneout.py",
        "return jnp.where(new, x, previous.astype(x.dtype))",
        "return jnp.where(new, previous.astype(x.dtype), x)",
        (WEIGHTS, MOMENTS),
        "zoneout_theano.py gist",
    ),
    Mutation(
        "zoneout: the new state at evaluation",
        T + "zoneout.py",
        "return _expectation(jnp.asarray(x), rate, previous)",
        "return jnp.asarray(x)",
        (WEIGHTS, CONTRACT),
    ),
    # --- schedules ----------------------------------------------------------------
    Mutation(
        "piecewise: a boundary belongs to the step before",
        T + "schedules.py",
        'side="right"',
        'side="left"',
        (SCHEDULES,),
    ),
    Mutation(
        "linear: goes on beyond its end",
        T + "schedules.py",
        "jnp.clip(jnp.asarray(step, jnp.float32) / steps, 0.0, 1.0)",
        "jnp.asarray(step, jnp.float32) / steps",
        (SCHEDULES,),
    ),
    Mutation(
        "curriculum: falls where it should rise",
        T + "schedules.py",
        "return _approach(0.0, rate, gamma)",
        "return _approach(rate, 0.0, gamma)",
        (SCHEDULES,),
    ),
    # --- theory -------------------------------------------------------------------
    Mutation(
        "regression: k (1 - k) for the scaled mask",
        THEORY + "regression.py",
        'spread = (1.0 - k) / k if scaling == "train" else k * (1.0 - k)',
        "spread = k * (1.0 - k)",
        (LINEAR,),
        "the textbook's theorem 9.4.4",
    ),
    Mutation(
        "ridge: the same strength for every feature",
        THEORY + "regression.py",
        "jnp.diag(jnp.diag(gram))",
        "jnp.eye(gram.shape[0]) * jnp.mean(jnp.diag(gram))",
        (LINEAR,),
    ),
    Mutation(
        "layer behind dropout: outputs taken for uncorrelated",
        THEORY + "linear.py",
        "covariance = spread * jnp.einsum(",
        "covariance = jnp.eye(kernel.shape[1])[None] * spread * jnp.einsum(",
        (LINEAR,),
    ),
    Mutation(
        "variance shift: mean left out",
        THEORY + "variance_shift.py",
        "rate / (1.0 - rate) * (jnp.square(mean) + variance))",
        "rate / (1.0 - rate) * variance)",
        (ADAPTIVE,),
    ),
    Mutation(
        "Wager: softmax without the square of the mean",
        THEORY + "adaptive.py",
        "jnp.sum(spread, -1) - jnp.sum(squares * jnp.square(mean), -1)",
        "jnp.sum(spread, -1)",
        (ADAPTIVE,),
    ),
    Mutation(
        "fast dropout: ReLU of the mean alone",
        THEORY + "propagation.py",
        "first = mean * cdf + std * pdf",
        "first = jnp.maximum(mean, 0.0)",
        (PROPAGATION,),
    ),
    Mutation(
        "fast dropout: variance of the input forgotten",
        THEORY + "propagation.py",
        "power = jnp.square(inputs.mean) + inputs.variance",
        "power = jnp.square(inputs.mean)",
        (PROPAGATION,),
    ),
    # --- keys ---------------------------------------------------------------------
    Mutation(
        "the same key at every step",
        "dropout_jax/keys.py",
        "return jax.random.fold_in(stream_key, step)",
        "return jax.random.fold_in(stream_key, 0)",
        ("test_keys.py",),
    ),
)
