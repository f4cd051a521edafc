// Numbers in words.

const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const DOUBTFUL = 0.6; // below it, the answer is a guess and says so

// "seven"; or the label, of a model whose classes are not digits
export const word = (digit, label) => (label === String(digit) ? WORDS[digit] : label);

// 0.9998 → "> 99.9%", for nothing is certain; 0.99 → "99.0%"
export function percent(share) {
  if (share >= 0.9995) return "> 99.9%";
  return share < 0.0005 ? "0%" : `${(100 * share).toFixed(1)}%`;
}

// "Seven, 99.8% sure"
export function sentence({ digit, label, confidence }) {
  const name = word(digit, label);
  const start = confidence < DOUBTFUL ? `Perhaps ${name}` : name[0].toUpperCase() + name.slice(1);
  const share = confidence >= 0.9995 ? "over 99.9%" : percent(confidence);
  return `${start}, ${share} sure`;
}

// What was done to the picture on the way to 28x28.
export function preparation({ fitted, inverted }) {
  if (!fitted) return "Your picture as it is: 28 × 28 pixels.";
  return inverted ? "The ink alone: cropped, scaled, centred, and white on black." : "The ink alone: cropped, scaled and centred.";
}
