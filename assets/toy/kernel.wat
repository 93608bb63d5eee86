;; What the toy's engine cannot do fast enough in JavaScript: matrix products, ReLUs, the random bits of numpy's Philox.
;; `npm run kernel` assembles this file to kernel.wasm.
;;
;; Addresses and strides are in bytes. All numbers of the engine lie in this one memory of 64 MiB.
(module
  (memory (export "memory") 1024)

  ;; C ← keep·C + A·B, of float32. A is [m, k] with any strides, so that it may be transposed; B [k, n] and C [m, n] are
  ;; row-major. m is even and n a multiple of 20: two rows of C and five vectors of four columns stay in registers,
  ;; while k runs. keep = 0 means that C is not read.
  (func (export "multiply")
    (param $a i32) (param $aRow i32) (param $aColumn i32) (param $b i32) (param $c i32)
    (param $m i32) (param $k i32) (param $n i32) (param $keep f32)
    (local $row i32) (local $column i32) (local $width i32) (local $left i32)
    (local $p i32) (local $q i32) (local $r i32) (local $s i32)
    (local $kept v128) (local $mask v128) (local $x v128) (local $y v128) (local $v v128)
    (local $x0 v128) (local $x1 v128) (local $x2 v128) (local $x3 v128) (local $x4 v128)
    (local $y0 v128) (local $y1 v128) (local $y2 v128) (local $y3 v128) (local $y4 v128)
    (local.set $width (i32.shl (local.get $n) (i32.const 2)))
    (local.set $kept (f32x4.splat (local.get $keep)))
    (local.set $mask (i32x4.splat (i32.sub (i32.const 0) (f32.ne (local.get $keep) (f32.const 0)))))
    (loop $columns
      (local.set $row (i32.const 0))
      (loop $rows
        ;; p and p + aRow walk along two rows of A, q down B; r and s are the two rows of C.
        (local.set $p (i32.add (local.get $a) (i32.mul (local.get $row) (local.get $aRow))))
        (local.set $q (i32.add (local.get $b) (local.get $column)))
        (local.set $r (i32.add (i32.add (local.get $c) (local.get $column)) (i32.mul (local.get $row) (local.get $width))))
        (local.set $s (i32.add (local.get $r) (local.get $width)))
        (local.set $x0 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=0 (local.get $r)))))
        (local.set $x1 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=16 (local.get $r)))))
        (local.set $x2 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=32 (local.get $r)))))
        (local.set $x3 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=48 (local.get $r)))))
        (local.set $x4 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=64 (local.get $r)))))
        (local.set $y0 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=0 (local.get $s)))))
        (local.set $y1 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=16 (local.get $s)))))
        (local.set $y2 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=32 (local.get $s)))))
        (local.set $y3 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=48 (local.get $s)))))
        (local.set $y4 (f32x4.mul (local.get $kept) (v128.and (local.get $mask) (v128.load offset=64 (local.get $s)))))
        (local.set $left (local.get $k))
        (loop $products
          (local.set $x (v128.load32_splat (local.get $p)))
          (local.set $y (v128.load32_splat (i32.add (local.get $p) (local.get $aRow))))
          (local.set $v (v128.load offset=0 (local.get $q)))
          (local.set $x0 (f32x4.add (local.get $x0) (f32x4.mul (local.get $x) (local.get $v))))
          (local.set $y0 (f32x4.add (local.get $y0) (f32x4.mul (local.get $y) (local.get $v))))
          (local.set $v (v128.load offset=16 (local.get $q)))
          (local.set $x1 (f32x4.add (local.get $x1) (f32x4.mul (local.get $x) (local.get $v))))
          (local.set $y1 (f32x4.add (local.get $y1) (f32x4.mul (local.get $y) (local.get $v))))
          (local.set $v (v128.load offset=32 (local.get $q)))
          (local.set $x2 (f32x4.add (local.get $x2) (f32x4.mul (local.get $x) (local.get $v))))
          (local.set $y2 (f32x4.add (local.get $y2) (f32x4.mul (local.get $y) (local.get $v))))
          (local.set $v (v128.load offset=48 (local.get $q)))
          (local.set $x3 (f32x4.add (local.get $x3) (f32x4.mul (local.get $x) (local.get $v))))
          (local.set $y3 (f32x4.add (local.get $y3) (f32x4.mul (local.get $y) (local.get $v))))
          (local.set $v (v128.load offset=64 (local.get $q)))
          (local.set $x4 (f32x4.add (local.get $x4) (f32x4.mul (local.get $x) (local.get $v))))
          (local.set $y4 (f32x4.add (local.get $y4) (f32x4.mul (local.get $y) (local.get $v))))
          (local.set $p (i32.add (local.get $p) (local.get $aColumn)))
          (local.set $q (i32.add (local.get $q) (local.get $width)))
          (br_if $products (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
        (v128.store offset=0 (local.get $r) (local.get $x0))
        (v128.store offset=16 (local.get $r) (local.get $x1))
        (v128.store offset=32 (local.get $r) (local.get $x2))
        (v128.store offset=48 (local.get $r) (local.get $x3))
        (v128.store offset=64 (local.get $r) (local.get $x4))
        (v128.store offset=0 (local.get $s) (local.get $y0))
        (v128.store offset=16 (local.get $s) (local.get $y1))
        (v128.store offset=32 (local.get $s) (local.get $y2))
        (v128.store offset=48 (local.get $s) (local.get $y3))
        (v128.store offset=64 (local.get $s) (local.get $y4))
        (br_if $rows (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 2))) (local.get $m))))
      (br_if $columns (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 80))) (local.get $width)))))

  ;; x ← factor·x where gate > 0, else 0; of float32, count is a multiple of 4.
  (func (export "gate") (param $x i32) (param $gate i32) (param $count i32) (param $factor f32)
    (local $end i32) (local $by v128)
    (local.set $by (f32x4.splat (local.get $factor)))
    (local.set $end (i32.add (local.get $x) (i32.shl (local.get $count) (i32.const 2))))
    (loop $next
      (v128.store (local.get $x)
        (v128.and
          (f32x4.mul (local.get $by) (v128.load (local.get $x)))
          (f32x4.gt (v128.load (local.get $gate)) (v128.const f32x4 0 0 0 0))))
      (local.set $gate (i32.add (local.get $gate) (i32.const 16)))
      (br_if $next (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 16))) (local.get $end)))))

  ;; The upper half of a product of 64-bit numbers.
  (func $high (param $x i64) (param $y i64) (result i64)
    (local $low i64) (local $first i64) (local $second i64)
    (local.set $low (i64.const 0xffffffff))
    (local.set $first
      (i64.add
        (i64.mul (i64.shr_u (local.get $x) (i64.const 32)) (i64.and (local.get $y) (local.get $low)))
        (i64.shr_u (i64.mul (i64.and (local.get $x) (local.get $low)) (i64.and (local.get $y) (local.get $low))) (i64.const 32))))
    (local.set $second
      (i64.add
        (i64.mul (i64.and (local.get $x) (local.get $low)) (i64.shr_u (local.get $y) (i64.const 32)))
        (i64.and (local.get $first) (local.get $low))))
    (i64.add
      (i64.mul (i64.shr_u (local.get $x) (i64.const 32)) (i64.shr_u (local.get $y) (i64.const 32)))
      (i64.add (i64.shr_u (local.get $first) (i64.const 32)) (i64.shr_u (local.get $second) (i64.const 32)))))

  ;; Philox4x64-10 (Salmon et al., SC 2011) of the counters (counter, 0, 0, 0), (counter + 1, 0, 0, 0), …
  ;; Each of the blocks is four 64-bit numbers.
  (func (export "philox") (param $key0 i64) (param $key1 i64) (param $counter i64) (param $out i32) (param $blocks i32)
    (local $round i32) (local $k0 i64) (local $k1 i64)
    (local $c0 i64) (local $c1 i64) (local $c2 i64) (local $c3 i64) (local $h0 i64) (local $h1 i64)
    (loop $next
      (local.set $k0 (local.get $key0))
      (local.set $k1 (local.get $key1))
      (local.set $c0 (local.get $counter))
      (local.set $c1 (i64.const 0))
      (local.set $c2 (i64.const 0))
      (local.set $c3 (i64.const 0))
      (local.set $round (i32.const 10))
      (loop $rounds
        (local.set $h0 (call $high (i64.const 0xd2e7470ee14c6c93) (local.get $c0)))
        (local.set $h1 (call $high (i64.const 0xca5a826395121157) (local.get $c2)))
        (local.set $h1 (i64.xor (i64.xor (local.get $h1) (local.get $c1)) (local.get $k0)))
        (local.set $h0 (i64.xor (i64.xor (local.get $h0) (local.get $c3)) (local.get $k1)))
        (local.set $c1 (i64.mul (local.get $c2) (i64.const 0xca5a826395121157)))
        (local.set $c3 (i64.mul (local.get $c0) (i64.const 0xd2e7470ee14c6c93)))
        (local.set $c0 (local.get $h1))
        (local.set $c2 (local.get $h0))
        (local.set $k0 (i64.add (local.get $k0) (i64.const 0x9e3779b97f4a7c15)))
        (local.set $k1 (i64.add (local.get $k1) (i64.const 0xbb67ae8584caa73b)))
        (br_if $rounds (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
      (i64.store (local.get $out) (local.get $c0))
      (i64.store offset=8 (local.get $out) (local.get $c1))
      (i64.store offset=16 (local.get $out) (local.get $c2))
      (i64.store offset=24 (local.get $out) (local.get $c3))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (local.set $counter (i64.add (local.get $counter) (i64.const 1)))
      (br_if $next (local.tee $blocks (i32.sub (local.get $blocks) (i32.const 1)))))))
