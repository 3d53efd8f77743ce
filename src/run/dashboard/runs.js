// Search and filter. Without scripts all runs are shown.
(() => {
  const search = document.getElementById('search'), standing = document.getElementById('standing'), none = document.getElementById('none');
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const task of document.querySelectorAll('article[data-text]')) {
      let rounds = 0;
      for (const round of task.querySelectorAll('.round')) {
        round.hidden = standing.value !== '' && round.dataset.standing !== standing.value;
        rounds += round.hidden ? 0 : 1;
      }
      task.hidden = rounds === 0 || !words.every((word) => task.dataset.text.includes(word));
      left += task.hidden ? 0 : 1;
    }
    none.hidden = left > 0;
  };
  search.addEventListener('input', show);
  standing.addEventListener('change', show);
  document.getElementById('filters').hidden = false;
})();
