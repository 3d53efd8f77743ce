// Knows what the page still has in hand. Timers and frames go through proxies of the browser's own functions, so that the
// page sees no difference; a twin of each timer notes that it is over. NAME and the argument are filled in by the caller.
((name) => {
  const WHILE = 6000;
  const own = globalThis, due = new Map(), every = new Map(), frames = new Set();
  const { setTimeout: later, requestAnimationFrame: frame, requestIdleCallback: rest, performance: clock } = own;
  const call = Reflect.apply, now = () => call(Performance.prototype.now, clock, []);
  const watch = (key, apply, on = own) => {
    if (on && typeof on[key] === 'function') on[key] = new Proxy(on[key], { apply });
  };
  const delay = (ms) => { const n = +ms; return n > 0 ? n : 0; };
  watch('setTimeout', (native, self, args) => {
    const id = call(native, self, args), ms = delay(args[1]);
    due.set(id, now() + ms);
    call(later, own, [() => due.delete(id), ms]);
    return id;
  });
  watch('setInterval', (native, self, args) => {
    const id = call(native, self, args);
    every.set(id, delay(args[1]));
    return id;
  });
  for (const key of ['clearTimeout', 'clearInterval']) {
    watch(key, (native, self, args) => {
      due.delete(args[0]);
      every.delete(args[0]);
      return call(native, self, args);
    });
  }
  watch('requestAnimationFrame', (native, self, args) => {
    const id = call(native, self, args);
    frames.add(id);
    call(frame, own, [() => frames.delete(id)]);
    return id;
  });
  watch('cancelAnimationFrame', (native, self, args) => {
    frames.delete(args[0]);
    return call(native, self, args);
  });
  watch('requestIdleCallback', (native, self, args) => {
    const id = call(native, self, args);
    frames.add('i' + id);
    call(rest, own, [() => frames.delete('i' + id)]);
    return id;
  });
  watch('cancelIdleCallback', (native, self, args) => {
    frames.delete('i' + args[0]);
    return call(native, self, args);
  });
  const expect = (ms) => {
    const token = {};
    due.set(token, now() + ms);
    call(later, own, [() => due.delete(token), ms]);
  };
  watch('postTask', (native, self, args) => {
    if (args[1] && delay(args[1].delay)) expect(delay(args[1].delay));
    return call(native, self, args);
  }, own.scheduler);
  watch('timeout', (native, self, args) => {
    expect(delay(args[0]));
    return call(native, self, args);
  }, own.AbortSignal);
  // <meta http-equiv=refresh content="3;url=…">, counted from the load event; a moment after it is due it is forgotten.
  const refresh = () => {
    const meta = document.querySelector('meta[http-equiv=refresh i]');
    const loaded = call(Performance.prototype.getEntriesByType, clock, ['navigation'])[0];
    if (!meta || !loaded) return Infinity;
    const left = loaded.loadEventEnd + 1000 * parseFloat(meta.content) - now();
    return left > -1000 ? Math.max(0, left) : Infinity;
  };
  // Milliseconds until something of the page's own may happen; Infinity: nothing will.
  Object.defineProperty(own, name, {
    value: () => {
      if (document.readyState !== 'complete' || frames.size) return 0;
      const running = (a) => a.playState === 'running' && a.effect && a.effect.getComputedTiming().endTime !== Infinity;
      if (document.getAnimations && document.getAnimations().some(running)) return 0;
      let soonest = refresh();
      for (let n = 0; n < own.length; n++) {
        try {
          soonest = Math.min(soonest, own[n][name] ? own[n][name]() : Infinity);
        } catch {
          // Another origin's, which cannot be asked: it is given a while.
          if (now() < WHILE) return 0;
        }
      }
      // What an image animates by itself, with events, is seen nowhere.
      if (now() < WHILE && document.querySelector('animate, animateTransform, animateMotion, set')) return 0;
      for (const at of due.values()) soonest = Math.min(soonest, Math.max(0, at - now()));
      for (const ms of every.values()) soonest = Math.min(soonest, ms);
      return soonest;
    },
  });
})
