"""The page of vkpix serve in a real browser: headless Chromium, driven as a person would.

usage: page.py PROGRAM [SHOTS]    (SHOTS: a folder that gets screenshots)
Exit status 77: there is no browser, driver or selenium here; nothing was tested.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
import zlib

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select
except ImportError:
    print('skipped: python3-selenium is missing')
    sys.exit(77)

PATIENCE = 120  # seconds; a loaded machine is slow


def png(path, width, height, seed=0, claimed=None):
    """A gray picture; `claimed`: the size that its header tells."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + bytes((x * 7 + y * 11 + seed * 29) % 200 + 20 for x in range(width))
                    for y in range(height))
    header = struct.pack('>IIBBBBB', *(claimed or (width, height)), 8, 0, 0, 0, 0)
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows)) +
                   chunk(b'IEND', b''))
    return path


def wait(what, condition):
    end = time.time() + PATIENCE
    while time.time() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f'waited in vain: {what}')


def same(got, wanted, what):
    assert got == wanted, f'{what}: {got!r}, not {wanted!r}'


class Page:
    """The browser, and what is on the page."""

    def __init__(self, url, folder, shots):
        options = webdriver.ChromeOptions()
        for argument in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                         '--no-first-run', '--window-size=1280,900', f'--user-data-dir={folder}/profile'):
            options.add_argument(argument)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
        self.url, self.shots, self.downloads = url, shots, os.path.join(folder, 'downloads')
        os.mkdir(self.downloads)
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which('chromedriver')))
        self.command('Browser.setDownloadBehavior', behavior='allow', downloadPath=self.downloads)

    def command(self, name, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def open(self, where=''):
        self.driver.get('about:blank')
        self.driver.get(self.url + where)
        wait('the page', lambda: self.js("return document.querySelector('#model option') !== null"))

    def js(self, code, *arguments):
        return self.driver.execute_script(code, *arguments)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.js('return document.querySelector(arguments[0]).textContent', selector)

    def count(self, selector):
        return len(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def add(self, *paths):
        self.one('#file').send_keys('\n'.join(paths))

    def shot(self, name):
        if self.shots:
            time.sleep(0.4)
            self.driver.save_screenshot(os.path.join(self.shots, name + '.png'))

    def theme(self, name):
        self.command('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': name}])

    def phone(self, on):
        if on:
            self.command('Emulation.setDeviceMetricsOverride', width=390, height=844, deviceScaleFactor=2,
                         mobile=True)
            self.command('Emulation.setTouchEmulationEnabled', enabled=True)
        else:
            self.command('Emulation.clearDeviceMetricsOverride')
            self.command('Emulation.setTouchEmulationEnabled', enabled=False)

    def share(self):
        """How much of the original the slider shows, in percent."""
        return float(self.js("return document.getElementById('compare').style.getPropertyValue('--at')")
                     .rstrip('%'))

    def check_names(self):
        """Everything that can be worked has a name for screen readers, pictures have a text."""
        self.command('Accessibility.enable')
        for node in self.command('Accessibility.getFullAXTree')['nodes']:
            role = node.get('role', {}).get('value')
            if node.get('ignored') or role not in ('button', 'link', 'slider', 'combobox', 'image', 'progressbar'):
                continue
            assert node.get('name', {}).get('value'), f'a {role} has no name: {node}'

    def check_width(self):
        width = self.js('return document.documentElement.scrollWidth - innerWidth')
        assert width <= 0, f'the page is {width} pixels wider than the window'

    def check_log(self, allowed):
        """Nothing went wrong in the page but requests that were refused."""
        for line in self.driver.get_log('browser'):
            if line['level'] == 'SEVERE' and not any(f'status of {code}' in line['message'] for code in allowed):
                raise AssertionError(f"the browser says: {line['message']}")


def info(url):
    with urllib.request.urlopen(url + 'api/info') as answer:
        return json.load(answer)


def an_empty_page(page, folder):
    page.open()
    same(page.driver.title, 'vkpix', 'the title')
    page.check_names()
    page.check_width()
    page.shot('empty')
    # The button is reached and worked by keyboard.
    focused = "return document.activeElement.textContent"
    for _ in range(5): # after the link to the content, the name and the sections
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        if page.js(focused) == 'Choose photographs':
            break
    same(page.js(focused), 'Choose photographs', 'focus')


def pictures_and_errors(page, folder):
    notes = os.path.join(folder, 'notes.txt')
    with open(notes, 'w') as file:
        file.write('not a picture')
    page.add(png(folder + '/harbour.png', 90, 60), png(folder + '/portrait.png', 40, 64, 1), notes,
             png(folder + '/bomb.png', 8, 8, claimed=(60000, 60000)))
    wait('two results, two failures', lambda: page.count('.thumb.done') == 2 and page.count('.thumb.failed') == 2)
    same(page.text('#summary'), '2 of 4 coloured, 2 failed', 'the summary')
    same(page.text('#name'), 'harbour.png', 'the first one is shown')
    assert '90 × 60' in page.text('#facts')
    page.check_names()
    page.check_width()
    page.shot('result')
    for name, word in (('notes.txt', 'Not a JPEG'), ('bomb.png', 'limit of 100 million')):
        page.one(f'.thumb[title="{name}"]').click()
        assert name in page.text('#failure h2'), page.text('#failure h2')
        assert word in page.text('#failure .why'), page.text('#failure .why')
        assert page.one('#failure').is_displayed() and not page.one('#compare').is_displayed()
        page.shot('error-' + name)
    for name in ('notes.txt', 'bomb.png'):
        page.one(f'.thumb[title="{name}"]').click()
        page.one('#remove').click()
    same(page.text('#summary'), '2 of 2 coloured', 'the summary after removing')
    page.check_log([422])


def the_slider(page, folder):
    page.one('.thumb[title="harbour.png"]').click()
    figure, slider = page.one('#compare'), page.one('#slider')
    box = figure.rect
    ActionChains(page.driver).move_to_element(figure).click_and_hold().move_by_offset(
        int(box['width'] * 0.3), 0).release().perform()
    assert 75 < page.share() < 85, f'the mouse brings it to {page.share()}'
    page.js('arguments[0].focus()', slider)
    slider.send_keys(Keys.HOME)
    same(page.share(), 0, 'Home')
    slider.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    same(page.share(), 2, 'two times the right arrow')
    assert '2 % original' in slider.get_attribute('aria-valuetext')
    page.phone(True)
    page.js("arguments[0].scrollIntoView({block: 'center'})", figure)
    left, top, width = page.js('const b = arguments[0].getBoundingClientRect(); return [b.left, b.top, b.width]',
                               figure)
    at = [{'x': left + width * 0.2, 'y': top + 20}], [{'x': left + width * 0.7, 'y': top + 25}]
    page.command('Input.dispatchTouchEvent', type='touchStart', touchPoints=at[0])
    page.command('Input.dispatchTouchEvent', type='touchMove', touchPoints=at[1])
    page.command('Input.dispatchTouchEvent', type='touchEnd', touchPoints=[])
    assert 65 < page.share() < 75, f'a finger brings it to {page.share()}'
    page.check_width()
    page.shot('phone')
    page.phone(False)


def shown(page):
    """Which result is shown: the address has its number."""
    return page.one('#compare .after').get_attribute('src')


def settings(page, folder):
    before = shown(page)
    page.one('#strength').send_keys(Keys.END)
    same(page.text('#strength-text'), '200 %', 'the strength')
    wait('a result with more colour', lambda: shown(page) != before)
    before = shown(page)
    Select(page.one('#size')).select_by_value('128')
    wait('a result of another size', lambda: shown(page) != before)
    page.one('.thumb[title="portrait.png"]').click()
    other = shown(page)
    page.one('.thumb[title="harbour.png"]').click()
    page.one('#for-all').click()
    page.one('.thumb[title="portrait.png"]').click()
    wait('the other one anew', lambda: shown(page) != other and page.count('.thumb.done') == 2)
    same(page.text('#strength-text'), '200 %', "the other one's strength")
    same(page.one('#size').get_attribute('value'), '128', "the other one's size")


def downloads(page, folder):
    page.one('#download').click()
    path = os.path.join(page.downloads, 'portrait-coloured.png')
    wait('the download', lambda: os.path.exists(path))
    with open(path, 'rb') as file:
        content = file.read()
    same(struct.unpack('>II', content[16:24]), (40, 64), 'its size')
    page.one('#download-all').click()
    path = os.path.join(page.downloads, 'vkpix.zip')
    wait('the zip file', lambda: os.path.exists(path))
    with zipfile.ZipFile(path) as archive:
        same(archive.testzip(), None, 'the zip file')
        same(sorted(archive.namelist()), ['harbour-coloured.png', 'portrait-coloured.png'], 'its content')
        same(archive.read('portrait-coloured.png'), content, 'the same bytes')


DROP = """
const data = new DataTransfer();
for (const name of arguments[1])
  data.items.add(new File([Uint8Array.from(atob(arguments[2]), (c) => c.charCodeAt(0))], name));
dispatchEvent(arguments[0] === 'paste'
  ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true})
  : new DragEvent(arguments[0], {dataTransfer: data, bubbles: true, cancelable: true}));
"""


def fifty_files_and_closing(page, folder):
    """Dropped and pasted ones too; and what the page leaves behind when it is closed: nothing."""
    import base64
    with open(png(folder + '/small.png', 16, 16), 'rb') as file:
        content = base64.b64encode(file.read()).decode()
    page.open()
    page.js(DROP, 'dragover', ['x.png'], content)
    assert page.one('#curtain').is_displayed()
    page.js(DROP, 'drop', [f'{i}.png' for i in range(49)], content)
    assert not page.one('#curtain').is_displayed()
    page.js(DROP, 'paste', ['pasted.png'], content)
    wait('some of 50', lambda: page.count('.thumb.done') >= 5)
    same(page.count('.thumb'), 50, 'thumbnails')
    assert 'of 50 coloured' in page.text('#summary'), page.text('#summary')
    page.shot('fifty')
    assert info(page.url)['load']['pictures'] > 0
    page.driver.get('about:blank')
    wait('nothing is left', lambda: info(page.url)['load'] == {'sessions': 0, 'pictures': 0, 'waiting': 0,
                                                               'bytes': 0})


def a_run(page, train):
    """The run's page shows what its training does, while it does it: train(options) begins a part of it."""
    same(train('--max-steps', '1').wait(), 0, "the exit status of the run's first epoch")
    page.open('#runs')
    wait('the run', lambda: page.one('#run').is_displayed())
    same(page.text('#run-name'), 'attic', 'the name')
    epoch = lambda: page.js("return document.querySelector('#run-tiles dd')?.firstChild.textContent.trim()")
    wait('the first epoch', lambda: epoch() == '1')
    page.shot('run-early')
    training = train('--resume')
    wait('the next epoch', lambda: epoch() == '2')
    wait('both previews', lambda: page.one('#epoch').get_attribute('max') == '1')
    same(page.text('#epoch-text'), '2', 'the newest preview')
    page.one('#epoch').send_keys(Keys.ARROW_LEFT)
    same(page.text('#epoch-text'), '1', 'the preview before')
    loaded = "const i = document.getElementById('preview'); return i.complete && i.naturalWidth > 0 && i.src"
    assert wait('its picture', lambda: page.js(loaded)).endswith('/api/runs/attic/previews/1')
    wait('curves', lambda: page.js("return Chart.getChart(document.querySelector('canvas'))"
                                   ".data.datasets.every((set) => set.data.length === 2)"))
    assert 'training' in page.one('canvas').get_attribute('aria-label')
    same(training.wait(), 0, "the training's exit status")
    page.check_names()
    page.check_width()
    page.shot('run')
    page.theme('dark')
    page.shot('run-dark')
    page.phone(True)
    page.check_width()
    page.shot('run-phone')
    page.phone(False)
    page.theme('light')


def night(page, folder):
    page.open()
    light = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] > 128"
    assert page.js(light)
    page.theme('dark')
    assert not page.js(light)
    page.add(folder + '/harbour.png')
    wait('a result', lambda: page.count('.thumb.done') == 1)
    page.shot('result-dark')
    page.theme('light')
    page.check_log([])


def a_server_that_ends(page, server):
    server.terminate()
    same(server.wait(), 0, 'the exit status')
    page.add(page.downloads + '/portrait-coloured.png')
    wait('the line that says so', lambda: page.one('#lost').is_displayed() or page.count('.thumb.failed'))


def start_server(program, runs):
    server = subprocess.Popen([program, 'serve', '--port', '0', '--json', '--runs', runs],
                              stdout=subprocess.PIPE, text=True)
    text = ''
    for line in server.stdout:
        text += line
        if line == '}\n':
            break
    return server, json.loads(text)['url']


def make_training(program, folder):
    """A function that begins or resumes a run of two small steps, an epoch each."""
    os.mkdir(folder + '/photographs')
    for i in range(4):
        png(f'{folder}/photographs/{i}.png', 24, 24, i)
    keys = ('size=32', 'work_size=32', 'view_min=0', 'view_max=0', 'batch=2', 'epochs=2', 'preview_every=1')
    first = ('--preset', 'natural', '--folds', '2', *(f'--set={key}' for key in keys))

    def train(*options):
        return subprocess.Popen([program, 'train', folder + '/photographs', '--out', folder + '/runs/attic',
                                 *options, *(() if '--resume' in options else first)])
    return train


def main(program, shots=None):
    if not shutil.which('chromium') or not shutil.which('chromedriver'):
        print('skipped: chromium and chromium-driver are missing')
        return 77
    folder = tempfile.mkdtemp(prefix='vkpix-browser-')
    os.mkdir(folder + '/runs')
    server, url = start_server(program, folder + '/runs')
    page = None
    try:
        page = Page(url, folder, shots)
        for part in (an_empty_page, pictures_and_errors, the_slider, settings, downloads,
                     fifty_files_and_closing, night):
            print(part.__name__, flush=True)
            part(page, folder)
        print('a_run', flush=True)
        a_run(page, make_training(program, folder))
        a_server_that_ends(page, server)
        return 0
    finally:
        if page:
            page.driver.quit()
        if server.poll() is None:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
