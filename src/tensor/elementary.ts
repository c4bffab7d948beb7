/**
 * exp, log, erf and tanh from + - * / alone.
 *
 * Why not Math.exp: ECMAScript leaves the transcendental functions to the engine, and engines differ from one another and
 * from one version to the next. The operations + - * / and sqrt are exact IEEE-754 everywhere, so whatever is built from
 * them in a fixed order has the same bits on every machine. That is what the reference kernels promise.
 *
 * Method and coefficients: FDLIBM 5.3 (Sun Microsystems 1993: e_exp.c, e_log.c, s_erf.c), the tables most C libraries use.
 * The largest errors, in units in the last place of f64 against 60 decimal digits, are stated at each function and held by
 * test/tensor/elementary.test.ts.
 */

const LN2_HIGH = 6.9314718036912382e-1; // the upper 33 bits of ln 2, so that k * LN2_HIGH is exact
const LN2_LOW = 1.9082149292705877e-10; // ln 2 - LN2_HIGH
const INVERSE_LN2 = Math.LOG2E;
const EXP_OVERFLOW = 709.782712893384; // the next larger double gives Infinity
const EXP_UNDERFLOW = -745.1332191019411; // the next smaller gives 0

/** One double and its two halves, to build powers of two and to read exponents. */
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer); // [low, high]: every host Node runs on is little-endian

/** 2^k for -1022 <= k <= 1023: the biased exponent, written into the upper half. */
function powerOfTwo(k: number): number {
  halves[0] = 0;
  halves[1] = (k + 1023) << 20;
  return double[0];
}

/** r - r² P(r²), with which e^r = 1 + r + r c / (2 - c) for |r| <= ln(2) / 2. Remez, error below 2^-59. */
function reducedExp(r: number): number {
  const t = r * r;
  const p4 = 4.1381367970572385e-8;
  const p =
    1.6666666666666602e-1 +
    t * (-2.7777777777015593e-3 + t * (6.613756321437934e-5 + t * (-1.6533902205465252e-6 + t * p4)));
  return r - t * p;
}

/** e^x, to 0.82 units. x = k ln 2 + r with |r| <= ln(2) / 2, then 2^k e^r. */
export function exp(x: number): number {
  if (x > EXP_OVERFLOW) return Number.POSITIVE_INFINITY;
  if (x < EXP_UNDERFLOW) return 0;
  if (Number.isNaN(x)) return x;

  const k = Math.floor(INVERSE_LN2 * x + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW; // what the reduction would round away from r
  const r = high - low;
  const c = reducedExp(r);
  const y = 1 + ((r * c) / (2 - c) - low + high);

  if (k > 1023) return y * 2 * powerOfTwo(k - 1);
  if (k < -1022) return y * powerOfTwo(k + 1000) * powerOfTwo(-1000); // subnormal: rounded by the last product alone
  return y * powerOfTwo(k);
}

/** e^x - 1, to 2.8 units, without cancellation near 0. */
export function expm1(x: number): number {
  if (x > 0.34 || x < -0.34) return exp(x) - 1; // beyond ln(2) / 2 the subtraction costs at most two bits
  const c = reducedExp(x);
  return x + (x * c) / (2 - c);
}

/** ln x, to 0.73 units. x = 2^k (1 + f) with sqrt(1/2) < 1 + f < sqrt(2); ln(1 + f) = f - f²/2 + s (f²/2 + R(s²)), s = f / (2 + f). */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;

  let k = 0;
  let m = x;
  if (x < 2.2250738585072014e-308) {
    m = x * 18014398509481984; // 2^54: subnormal numbers become normal
    k = -54;
  }
  double[0] = m;
  k += (halves[1] >>> 20) - 1023;
  halves[1] = (halves[1] & 0x000fffff) | 0x3ff00000; // the mantissa, in [1, 2)
  m = double[0];
  if (m > Math.SQRT2) {
    m *= 0.5;
    k += 1;
  }

  const f = m - 1;
  const s = f / (2 + f);
  const z = s * s;
  const r =
    z *
    (6.666666666666735e-1 +
      z *
        (3.999999999940942e-1 +
          z *
            (2.857142874366239e-1 +
              z *
                (2.222219843214978e-1 +
                  z * (1.818357216161805e-1 + z * (1.5313837699209373e-1 + z * 1.4798198605116586e-1))))));
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + r) + k * LN2_LOW) - f);
}

/** ln(1 + x), to 1.8 units, without cancellation near 0: ln(u) x / (u - 1) with u = 1 + x rounded (Kahan; Higham 2002, section 1.14.1). */
export function log1p(x: number): number {
  const u = 1 + x;
  return u === 1 ? x : (log(u) * x) / (u - 1);
}

/** tanh x, to 2.5 units: (e^2x - 1) / (e^2x + 1), odd. */
export function tanh(x: number): number {
  const a = Math.abs(x);
  if (a > 22) return x < 0 ? -1 : 1; // 1 - 2 e^-44 rounds to 1
  const e = expm1(2 * a);
  const y = a < 1 ? e / (e + 2) : 1 - 2 / (e + 2);
  return x < 0 ? -y : y;
}

/**
 * erf x, to 0.85 units: 2 / sqrt(pi) times the integral of e^(-t²) from 0 to x, odd. Five ranges, each with its rational approximation:
 *
 *   [0, 27/32)     x + x P(x²) / Q(x²)
 *   [27/32, 5/4)   c + P(x - 1) / Q(x - 1)
 *   [5/4, 1/0.35)  1 - e^(-x² - 9/16 + R(1/x²) / S(1/x²)) / x
 *   [1/0.35, 6)    the same with other coefficients
 *   [6, inf)       1
 */
export function erf(x: number): number {
  const a = Math.abs(x);
  let y: number;
  if (a < 0.84375) {
    if (a < 3.7252902984e-9) return x + 1.2837916709551259e-1 * x; // the next term, x³ / 3, is below half a unit
    const z = x * x;
    const p =
      1.2837916709551256e-1 +
      z *
        (-3.250421072470015e-1 +
          z * (-2.848174957559851e-2 + z * (-5.7702702964894416e-3 + z * -2.3763016656650163e-5)));
    const q =
      1 +
      z *
        (3.9791722395915535e-1 +
          z *
            (6.5022249988767294e-2 +
              z * (5.0813062818757656e-3 + z * (1.3249473800432164e-4 + z * -3.9602282787753681e-6))));
    return x + x * (p / q);
  }
  if (a < 1.25) {
    const s = a - 1;
    const p =
      -2.3621185607526594e-3 +
      s *
        (4.1485611868374833e-1 +
          s *
            (-3.7220787603570132e-1 +
              s *
                (3.1834661990116175e-1 +
                  s * (-1.1089469428239668e-1 + s * (3.5478304325618236e-2 + s * -2.1663755948687908e-3)))));
    const q =
      1 +
      s *
        (1.0642088040084423e-1 +
          s *
            (5.4039791770217105e-1 +
              s *
                (7.1828654414196266e-2 +
                  s * (1.2617121980876164e-1 + s * (1.3637083912029051e-2 + s * 1.1984499846799107e-2)))));
    y = 8.4506291151046753e-1 + p / q;
  } else if (a < 6) {
    const s = 1 / (a * a);
    let p: number;
    let q: number;
    if (a < 1 / 0.35) {
      p =
        -9.8649440348471482e-3 +
        s *
          (-6.9385857270718176e-1 +
            s *
              (-1.0558626225323291e1 +
                s *
                  (-6.2375332450326006e1 +
                    s *
                      (-1.6239666946257347e2 +
                        s * (-1.8460509290671104e2 + s * (-8.1287435506306593e1 + s * -9.8143293441691455))))));
      q =
        1 +
        s *
          (1.9651271667439257e1 +
            s *
              (1.3765775414351904e2 +
                s *
                  (4.3456587747522923e2 +
                    s *
                      (6.4538727173326788e2 +
                        s *
                          (4.2900814002756783e2 +
                            s * (1.0863500554177944e2 + s * (6.5702497703192817 + s * -6.0424415214858099e-2)))))));
    } else {
      p =
        -9.8649429247000993e-3 +
        s *
          (-7.9928323768052301e-1 +
            s *
              (-1.7757954917754752e1 +
                s *
                  (-1.6063638485582192e2 +
                    s * (-6.3756644336838963e2 + s * (-1.0250951316110772e3 + s * -4.835191916086514e2)))));
      q =
        1 +
        s *
          (3.0338060743482458e1 +
            s *
              (3.2579251299657392e2 +
                s *
                  (1.536729586084437e3 +
                    s *
                      (3.1998582195085955e3 +
                        s * (2.5530504064331644e3 + s * (4.7452854120695537e2 + s * -2.2440952446585818e1))))));
    }
    // z is a with the lower half of its bits cleared, so that z * z is exact; (z - a)(z + a) restores the rest of -a².
    double[0] = a;
    halves[0] = 0;
    const z = double[0];
    y = 1 - (exp(-z * z - 0.5625) * exp((z - a) * (z + a) + p / q)) / a;
  } else {
    y = Number.isNaN(a) ? a : 1;
  }
  return x < 0 ? -y : y;
}
