/**
 * Spaces, line ends, emoji, numbers, scripts and contractions: tokenizers that cut texts differently make different
 * tokens of it. The text that llama.cpp's converter uses, so that the hashes are the same.
 */
export const probeText = [
  '\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n\u{1f680} (normal) \u{1f636}\u200d\u{1f32b}\ufe0f (multiple emojis concatenated)',
  ' \u2705 \u{1f999}\u{1f999} 3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 \u1780\u17b6\u1793\u17cb\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785\u{1f601}',
  " ?\u6211\u60f3\u5728apple\u5de5\u4f5c1314151\u5929\uff5e ------======= \u043d\u0435\u0449\u043e \u043d\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438 ''''''```````\"\"\"\"......!!!",
  "!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D",
  " you like some tea? We'Ve a'lL",
].join('');
