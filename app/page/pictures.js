// Pictures that are dropped anywhere on the page, or pasted.

export function watchForPictures(sheet, received) {
  const mark = (isAwaiting) => sheet.classList.toggle("awaiting", isAwaiting);

  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // or the browser would open the file instead of the page
    mark(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || mark(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    take(event.dataTransfer);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData));

  const take = (transfer) => {
    const file = transfer?.files[0];
    if (file) received(file);
  };
}
