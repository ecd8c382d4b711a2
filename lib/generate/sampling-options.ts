/** A number added to a token's logit, or a ban: `-Infinity` and `'never'` say the same. */
export type LogitBias = number | 'never';

/**
 * How the next token is chosen. A value left out takes the default named here. The steps run in this order: biases,
 * penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature; then one of the tokens that are left
 * is drawn. See docs/sampling.md.
 */
export interface SamplingOptions {
  /** Randomness; 0 always takes the most probable token. Range 0 to 100. Default 0.8. */
  temperature?: number;
  /**
   * Lets the temperature vary by this much around `temperature`: low where the model is sure, high where it is not.
   * 0 is off. Range 0 to 100. Default 0.
   */
  dynamicTemperatureRange?: number;
  /** How the normalized entropy maps to that range: its power. Range 0 to 100. Default 1. */
  dynamicTemperatureExponent?: number;
  /** Keep only the k most probable tokens; 0 keeps all. Default 40. */
  topK?: number;
  /** Keep the most probable tokens that together reach this probability. Range 0 to 1. Default 0.95. */
  topP?: number;
  /** Drop tokens less probable than this share of the best one. Range 0 to 1. Default 0.05. */
  minP?: number;
  /**
   * Keep the tokens whose information content is nearest to the expected one, up to this probability; 1 is off.
   * Range 0 to 1. Default 1. Source: https://arxiv.org/abs/2202.00666
   */
  typicalP?: number;
  /**
   * Keep tokens whose logit is within this many standard deviations of the largest one; 0 is off. Range 0 to 100.
   * Default 0. Source: https://arxiv.org/abs/2411.07641
   */
  topNSigma?: number;
  /**
   * The chance of excluding top choices: of the tokens above `xtcThreshold` all but the least probable are dropped.
   * 0 is off. Range 0 to 1. Default 0.
   */
  xtcProbability?: number;
  /** See `xtcProbability`. Above 0.5 it is off. Range 0 to 1. Default 0.1. */
  xtcThreshold?: number;
  /** The least number of tokens that top-p, min-p, typical and XTC leave. Default 0. */
  minKeep?: number;
  /** Divides the logits of recent tokens; 1 is off. Range above 0 to 100. Default 1. */
  repeatPenalty?: number;
  /** How many recent tokens penalties look at. Range 0 to 1048576. Default 64. */
  repeatLastTokens?: number;
  /** Subtracted once per earlier occurrence. Range −100 to 100. Default 0. */
  frequencyPenalty?: number;
  /** Subtracted once if the token occurred. Range −100 to 100. Default 0. */
  presencePenalty?: number;
  /**
   * DRY: subtracts `dryMultiplier · dryBase^(length − dryAllowedLength)` from a token that would prolong a repetition
   * of that length. 0 is off. Range 0 to 100. Default 0.
   */
  dryMultiplier?: number;
  /** See `dryMultiplier`. Range 1 to 100. Default 1.75. */
  dryBase?: number;
  /** Repetitions up to this many tokens are free. Range 0 to 1048576. Default 2. */
  dryAllowedLength?: number;
  /** How many recent tokens are searched for repetitions. Range 0 to 1048576. Default 64. */
  dryLastTokens?: number;
  /** At most 16 texts, of 1 to 40 bytes, that end a repetition. Default `['\n', ':', '"', '*']`. */
  drySequenceBreakers?: readonly string[];
  /**
   * Mirostat version 1 or 2 keeps the surprise of the text constant; 0 is off. It takes the place of all other steps
   * but biases and temperature. Default 0. Source: https://arxiv.org/abs/2007.14966
   */
  mirostat?: 0 | 1 | 2;
  /** The surprise that Mirostat aims at, in bits. Range 0 to 20. Default 5. */
  mirostatTau?: number;
  /** How fast Mirostat adapts. Range 0 to 1. Default 0.1. */
  mirostatEta?: number;
  /**
   * Draws tokens whose probability is near this one, adapted by what was drawn before. Range 0 to 1. Default: off.
   */
  adaptiveTarget?: number;
  /** How long `adaptiveTarget` remembers: about 1 / (1 − decay) tokens. Range 0 to 0.99. Default 0.9. */
  adaptiveDecay?: number;
  /**
   * What is added to the logits of tokens, by token id: from −100 to 100, or `-Infinity` or `'never'` to forbid one.
   * Default: nothing.
   */
  logitBias?: Readonly<Record<number, LogitBias>> | ReadonlyMap<number, LogitBias>;
  /** Seed of the random numbers, 0 to 4294967295. Default: a new one for each call. */
  seed?: number;
}
