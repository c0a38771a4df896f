// The stream of ../random/__init__.py on a GPU: one thread makes one block, four words, and what is made of them.
//
// Compiled without fused multiply-adds (--fmad=false): every sum, product, quotient and root is rounded by itself, so that
// normals have the bits that NumPy's have. The constants are those of constants.py; a test compares the two files.

typedef unsigned long long Word;

__device__ const int ROUNDS = 10;

// (numerator, denominator) from the constant term up: Wichura's AS 241, as in constants.py.
__device__ const double CENTRAL[2][8] = {
    {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
    {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
__device__ const double TAIL[2][8] = {
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
__device__ const double FAR_TAIL[2][8] = {
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};

__device__ const double ROOT_HALF = 0.7071067811865476;
__device__ const double LOG2_HIGH = 6.93147180369123816490e-01;
__device__ const double LOG2_LOW = 1.90821492927058770002e-10;

struct Block { Word word[4]; };

// Philox4x64-10 (Salmon et al. 2011).
__device__ Block philox(Word key0, Word key1, Word c0, Word c1, Word c2, Word c3) {
    const Word multiplier0 = 0xD2E7470EE14C6C93ull, multiplier1 = 0xCA5A826395121157ull;
#pragma unroll
    for (int round = 0; round < ROUNDS; ++round) {
        const Word high0 = __umul64hi(c0, multiplier0), low0 = c0 * multiplier0;
        const Word high1 = __umul64hi(c2, multiplier1), low1 = c2 * multiplier1;
        c0 = high1 ^ c1 ^ key0;
        c1 = low1;
        c2 = high0 ^ c3 ^ key1;
        c3 = low0;
        key0 += 0x9E3779B97F4A7C15ull;
        key1 += 0xBB67AE8584CAA73Bull;
    }
    return {{c0, c1, c2, c3}};
}

// The block that lies `step` behind the counter b, whose four words count as one number of 256 bits.
__device__ Block block_at(Word key0, Word key1, Word b0, Word b1, Word b2, Word b3, Word step) {
    const Word c0 = b0 + step;
    const Word carry0 = c0 < step, c1 = b1 + carry0;
    const Word carry1 = c1 < carry0, c2 = b2 + carry1;
    const Word carry2 = c2 < carry1, c3 = b3 + carry2;
    return philox(key0, key1, c0, c1, c2, c3);
}

__device__ Word thread_number() { return (Word)blockIdx.x * blockDim.x + threadIdx.x; }

__device__ double polynomial(const double* coefficients, double r) {
    double value = coefficients[7] * r;
#pragma unroll
    for (int i = 6; i > 0; --i) value = (value + coefficients[i]) * r;
    return value + coefficients[0];
}

__device__ double ratio(const double (&table)[2][8], double r) { return polynomial(table[0], r) / polynomial(table[1], r); }

// The natural logarithm in sums, products and quotients alone, of a normal number t.
__device__ double logarithm(double t) {
    const long long bits = __double_as_longlong(t);
    int exponent = (int)(bits >> 52 & 0x7FF) - 1022;
    double m = __longlong_as_double((bits & 0xFFFFFFFFFFFFFll) | 0x3FE0000000000000ll);  // in [1/2, 1)
    if (m < ROOT_HALF) {
        m = 2 * m;
        exponent -= 1;
    }
    const double e = exponent, s = (m - 1) / (m + 1), square = s * s;
    double series = (1.0 / 21.0) * square;
#pragma unroll
    for (int n = 9; n > 0; --n) series = (series + 1.0 / (2 * n + 1)) * square;
    series = series + 1.0;
    return e * LOG2_HIGH + (2 * s * series + e * LOG2_LOW);
}

// The quantile of the normal distribution at (k + 1/2) / 2^bits. Of the two tails the smaller is taken.
__device__ double quantile(long long k, int bits) {
    const bool upper = k >= 1ll << (bits - 1);
    const double unit = __longlong_as_double((long long)(1023 - bits) << 52);  // 2^-bits
    const double tail = ((double)(upper ? (1ll << bits) - 1 - k : k) + 0.5) * unit;
    const double q = 0.5 - tail;
    double x;
    if (q > 0.425) {
        const double r = sqrt(-logarithm(tail));
        x = r > 5 ? ratio(FAR_TAIL, r - 5.0) : ratio(TAIL, r - 1.6);
    } else {
        x = ratio(CENTRAL, 0.180625 - q * q) * q;
    }
    return upper ? x : -x;
}

// What is made of words. A block is four numbers, or eight float32 ones: the low half of each word first.
struct Words {
    typedef Word Number;
    static __device__ Word of(Word word, int) { return word; }
    static const int per_word = 1;
};
template <typename Real>
struct Uniform;
template <>
struct Uniform<float> {
    typedef float Number;
    static __device__ float of(Word word, int half) { return (float)((unsigned)(word >> 32 * half) >> 8) * 0x1p-24f; }
    static const int per_word = 2;
};
template <>
struct Uniform<double> {
    typedef double Number;
    static __device__ double of(Word word, int) { return (double)(word >> 11) * 0x1p-53; }
    static const int per_word = 1;
};
template <typename Real>
struct Normal;
template <>
struct Normal<float> {
    typedef float Number;
    static __device__ float of(Word word, int half) { return (float)quantile((unsigned)(word >> 32 * half), 32); }
    static const int per_word = 2;
};
template <>
struct Normal<double> {
    typedef double Number;
    static __device__ double of(Word word, int) { return quantile((long long)(word >> 11), 53); }
    static const int per_word = 1;
};

template <typename Map>
__device__ void write(typename Map::Number* out, long long n, Word place, const Block& block) {
    const int per_block = 4 * Map::per_word;
    const long long first = (long long)place * per_block;
#pragma unroll
    for (int i = 0; i < per_block; ++i)
        if (first + i < n) out[first + i] = Map::of(block.word[i / Map::per_word], i % Map::per_word);
}

__global__ void words(Word key0, Word key1, Word b0, Word b1, Word b2, Word b3, Word* __restrict__ out, long long n) {
    const Word place = thread_number();
    if ((long long)place * 4 < n) write<Words>(out, n, place, block_at(key0, key1, b0, b1, b2, b3, place));
}

template <typename Real>
__global__ void uniform(Word key0, Word key1, Word b0, Word b1, Word b2, Word b3, Real* __restrict__ out, long long n) {
    const Word place = thread_number();
    if ((long long)place * 4 * Uniform<Real>::per_word < n)
        write<Uniform<Real>>(out, n, place, block_at(key0, key1, b0, b1, b2, b3, place));
}

template <typename Real>
__global__ void normal(Word key0, Word key1, Word b0, Word b1, Word b2, Word b3, Real* __restrict__ out, long long n) {
    const Word place = thread_number();
    if ((long long)place * 4 * Normal<Real>::per_word < n)
        write<Normal<Real>>(out, n, place, block_at(key0, key1, b0, b1, b2, b3, place));
}

// Row j of out, `columns` words, begins at the block whose lowest word is blocks[j]; its other words are 0.
__global__ void words_at(Word key0, Word key1, const Word* __restrict__ blocks, Word* __restrict__ out, long long rows,
                         long long columns) {
    const long long per_row = (columns + 3) / 4, place = (long long)thread_number();
    if (place >= rows * per_row) return;
    const long long row = place / per_row, step = place % per_row;
    write<Words>(out + row * columns, columns, (Word)step, block_at(key0, key1, blocks[row], 0, 0, 0, (Word)step));
}
