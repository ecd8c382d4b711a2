/** How the next token is chosen. A value left out takes the default named here. */
export interface SamplingOptions {
  /** Randomness; 0 always takes the most probable token. Range 0 to 100. Default 0.8. */
  temperature?: number;
  /** Keep only the k most probable tokens; 0 keeps all. Default 40. */
  topK?: number;
  /** Keep the most probable tokens that together reach this probability. Range 0 to 1. Default 0.95. */
  topP?: number;
  /** Drop tokens less probable than this share of the best one. Range 0 to 1. Default 0.05. */
  minP?: number;
  /** Divides the logits of recent tokens; 1 is off. Range above 0 to 100. Default 1. */
  repeatPenalty?: number;
  /** How many recent tokens penalties look at. Default 64. */
  repeatLastTokens?: number;
  /** Subtracted once per earlier occurrence. Range −100 to 100. Default 0. */
  frequencyPenalty?: number;
  /** Subtracted once if the token occurred. Range −100 to 100. Default 0. */
  presencePenalty?: number;
  /** Seed of the random numbers, 0 to 4294967295. Default: a new one for each call. */
  seed?: number;
}
